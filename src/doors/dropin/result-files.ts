/** config.yml of each buildpack → result.json and staging_info.yml, with the original's bytes. */
import { type ProcessEntry, processOutcome } from '../../staging/buildpack/contract/process-list.ts';
import { type BuildpackConfig, configShape } from './buildpack-config.ts';
import { encodeJson } from './go/json.ts';
import { join, readIfThere } from './go/path.ts';
import { decodeYamlBytes } from './go/utf8.ts';
import { anyShape, decodeYaml, mapShape, stringShape, structShape } from './go/yaml-decode.ts';
import type { DropinProcess } from './processes.ts';

/** One buildpack in result.json. */
export interface BuildpackMetadata {
  readonly key: string;
  readonly name: string;
  readonly version: string;
  readonly config: BuildpackConfig | undefined;
  readonly output_metadata: ReadonlyMap<string, unknown>;
}

const emptyMetadata = (): BuildpackMetadata => ({
  key: '',
  name: '',
  version: '',
  config: undefined,
  output_metadata: new Map(),
});

const metadataShape = structShape<BuildpackMetadata>(
  'buildpackapplifecycle.BuildpackMetadata',
  {
    key: stringShape,
    name: stringShape,
    version: stringShape,
    config: configShape,
    output_metadata: mapShape(anyShape),
  },
  emptyMetadata,
);

/** The metadata of one buildpack: its key, overlaid by what can be read of its config.yml. Never fails. */
export function readMetadata(key: string, depsDir: string, index: string): BuildpackMetadata {
  const start = { ...emptyMetadata(), key };
  let content: Buffer | undefined;
  try {
    content = readIfThere(join(depsDir, index, 'config.yml'));
  } catch {
    return start;
  }
  return content === undefined ? start : decodeYaml(metadataShape, decodeYamlBytes(content), start).value;
}

/** Content of result.json; without `processes` it is that of a build that failed. */
export function resultFileText(
  buildpacks: readonly BuildpackMetadata[],
  processes: readonly DropinProcess[] | undefined,
): string {
  const last = buildpacks.at(-1);
  const outcome = processes === undefined ? undefined : processOutcome(processes);
  const memories = (processes ?? []).filter((it) => it.sidecarFor.length > 0).map(({ memory }) => memory);
  return `${encodeJson({
    lifecycle_metadata: {
      buildpack_key: orAbsent(last?.key),
      detected_buildpack: last?.name ?? '',
      buildpacks: buildpacks.map((it) => ({
        key: it.key,
        name: it.name,
        version: orAbsent(it.version),
        config: configJson(it.config),
        output_metadata: it.output_metadata.size === 0 ? undefined : it.output_metadata,
      })),
    },
    process_types: outcome === undefined ? null : new Map(Object.entries(outcome.processTypes)),
    processes: orNone(outcome?.processes),
    sidecars: orNone(outcome?.sidecars.map((it, index) => ({ ...it, memory: memories[index] }))),
    execution_metadata: '',
    lifecycle_type: 'buildpack',
  })}\n`;
}

/** Content of staging_info.yml, of the last buildpack. */
export function stagingInfoText(
  buildpacks: readonly BuildpackMetadata[],
  processes: readonly ProcessEntry[],
): string {
  const last = buildpacks.at(-1);
  return `${encodeJson({
    detected_buildpack: last?.name ?? '',
    start_command: webCommand(processes),
    config: configJson(last?.config),
  })}\n`;
}

/** The command of `web`; empty when there is none. */
export function webCommand(processes: readonly ProcessEntry[]): string {
  return processOutcome(processes).processTypes['web'] ?? '';
}

function configJson(config: BuildpackConfig | undefined): object | undefined {
  return config === undefined ? undefined : { entrypoint_prefix: orAbsent(config.entrypoint_prefix) };
}

function orAbsent(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function orNone<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}
