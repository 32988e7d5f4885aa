/** config.yml of each buildpack → result.json and staging_info.yml (buildpack-contracts.md 1.6, 1.7, 2.6). Pure. */
import { z } from 'zod';
import type { ResultBuildpack, ResultJson } from '../../../words/result.ts';
import type { ProcessOutcome } from './process-list.ts';
import { readScalars, readYaml } from './yaml.ts';

const record = z.record(z.string(), z.unknown());

/**
 * The entry of one buildpack: its key, overlaid by its config.yml. Each key stands alone: one that can't be read
 * does not cost the others, and unknown ones are ignored.
 *
 * @param configYml content of `deps/<index>/config.yml`; one that can't be parsed counts as absent.
 */
export function buildpackMetadata(key: string, configYml: string | undefined): ResultBuildpack {
  const yaml = configYml === undefined ? undefined : readYaml(configYml);
  const data = record.safeParse(yaml?.ok === true ? yaml.value : undefined).data;
  if (configYml === undefined || data === undefined) return { key, name: '' };
  const texts = readScalars(configYml, ['key', 'name', 'version']);
  const config = record.safeParse(data['config']).data ?? {};
  const prefix = z.string().min(1).safeParse(config['entrypoint_prefix']).data;
  const metadata = record.safeParse(data['output_metadata']).data;
  return {
    key: texts['key'] ?? key,
    name: texts['name'] ?? '',
    ...(texts['version'] !== undefined && { version: texts['version'] }),
    ...(prefix !== undefined && { config: { entrypoint_prefix: prefix } }),
    ...(metadata !== undefined && { output_metadata: metadata }),
  };
}

/** result.json. Without `processes` (finalize, compile or release failed) they are null. */
export function resultJson(
  buildpacks: readonly ResultBuildpack[],
  outcome: ProcessOutcome | undefined,
): ResultJson {
  const last = buildpacks.at(-1);
  return {
    lifecycle_metadata: {
      buildpack_key: last?.key ?? '',
      detected_buildpack: last?.name ?? '',
      buildpacks,
    },
    process_types: outcome?.processTypes ?? null,
    processes: outcome === undefined || outcome.processes.length === 0 ? null : outcome.processes,
    ...(outcome !== undefined && outcome.sidecars.length > 0 && { sidecars: outcome.sidecars }),
    execution_metadata: '',
    lifecycle_type: 'buildpack',
  };
}

/** Content of `staging_info.yml`, which is JSON, with the newline that the original writes. */
export function stagingInfo(
  buildpacks: readonly ResultBuildpack[],
  startCommand: string | undefined,
): string {
  const last = buildpacks.at(-1);
  const document = {
    detected_buildpack: last?.name ?? '',
    start_command: startCommand ?? '',
    ...(last?.config !== undefined && { config: last.config }),
  };
  return `${JSON.stringify(document)}\n`;
}
