/** Process types, from what a buildpack for Cloud Foundry says of them. */
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';

/** One process type; the command is text for bash. */
export interface CfProcess {
  readonly type: string;
  readonly command: string;
  /** The types that it runs beside, on Cloud Foundry. */
  readonly sidecarFor?: readonly string[];
}

const Launch = z.looseObject({
  processes: z
    .array(
      z.looseObject({
        type: z.string(),
        command: z.string(),
        platforms: z
          .looseObject({ cloudfoundry: z.looseObject({ sidecar_for: z.array(z.string()) }).optional() })
          .nullish(),
      }),
    )
    .nullish(),
});
const Release = z.looseObject({
  default_process_types: z.record(z.string(), z.string()).nullish(),
});

/** Those of a launch.yml. */
export function ofLaunchYml(text: string): readonly CfProcess[] {
  const { processes } = Launch.parse(parseYaml(text) ?? {});
  return (processes ?? []).map(({ type, command, platforms }) => {
    const sidecarFor = platforms?.cloudfoundry?.sidecar_for;
    return { type, command, ...(sidecarFor !== undefined && { sidecarFor }) };
  });
}

/** Those that bin/release prints. */
export function ofRelease(text: string): readonly CfProcess[] {
  const { default_process_types: types } = Release.parse(parseYaml(text) ?? {});
  return Object.entries(types ?? {}).map(([type, command]) => ({ type, command }));
}

/** Those of the app's Procfile. */
export function ofProcfile(text: string): readonly CfProcess[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const [, type, command] = /^([A-Za-z0-9_-]+):\s*(.*\S)\s*$/.exec(line) ?? [];
    return type === undefined || command === undefined ? [] : [{ type, command }];
  });
}

/** Later lists win, type by type. */
export function merged(...lists: readonly (readonly CfProcess[])[]): readonly CfProcess[] {
  return [...new Map(lists.flat().map((process) => [process.type, process])).values()];
}

/** What launch.toml says: `start` runs each, `web` is the default, `slices` are paths of layers of their own. */
export function launchToml(
  processes: readonly CfProcess[],
  { start, slices }: { readonly start: string; readonly slices: readonly string[] },
): Record<string, unknown> {
  return {
    processes: processes.map(({ type, command }) => ({
      type,
      command: [start, command],
      ...(type === 'web' && { default: true }),
    })),
    ...(slices.length > 0 && { slices: [{ paths: slices }] }),
  };
}
