/**
 * `staging_info.yml`, which the launcher reads from the droplet's root (buildpack-contracts.md 1.6, 1.12).
 * The name says YAML, the original writes JSON, and JSON is YAML.
 */

/** What the launcher may need to know. */
export interface StagingInfo {
  /** Name of the last buildpack as result.json has it; may be empty. */
  readonly detectedBuildpack: string;
  /** Command of the `web` process; empty when there is none. */
  readonly startCommand: string;
  /** `config` of the last buildpack's config.yml, where it set one. */
  readonly config?: { readonly entrypoint_prefix: string };
}

/** Content of the file; ends with a newline as Go's encoder writes it. */
export function stagingInfoYml(info: StagingInfo): string {
  const document = {
    detected_buildpack: info.detectedBuildpack,
    start_command: info.startCommand,
    ...(info.config === undefined ? {} : { config: info.config }),
  };
  return `${JSON.stringify(document)}\n`;
}
