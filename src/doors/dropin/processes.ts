/**
 * Process types of a build, with the original's lookup of launch.yml: by an index without padding, and in detect
 * mode by the length of the *order* (buildpack-contracts.md 2.7). `stager stage` does what was intended.
 */
import {
  entriesOf,
  mergeProcesses,
  type ProcessEntry,
} from '../../staging/buildpack/contract/process-list.ts';
import type { BuilderConfig } from './builder-flags.ts';
import { failure, SENTENCES, under } from './failure.ts';
import { join, readIfThere, statWorks } from './go/path.ts';
import { decodeYamlBytes } from './go/utf8.ts';
import {
  decodeYaml,
  type GoShape,
  intShape,
  listShape,
  mapShape,
  stringShape,
  structShape,
} from './go/yaml-decode.ts';

interface LaunchProcess {
  readonly type: string;
  readonly command: string;
  readonly platforms: { readonly cloudfoundry: { readonly sidecar_for: readonly string[] } };
  readonly limits: { readonly memory: bigint };
}

const CLOUDFOUNDRY_TYPE = 'struct { SidecarFor []string "yaml:\\"sidecar_for\\" json:\\"sidecar_for\\"" }';
const cloudfoundry = structShape<LaunchProcess['platforms']['cloudfoundry']>(
  CLOUDFOUNDRY_TYPE,
  { sidecar_for: listShape(stringShape) },
  () => ({ sidecar_for: [] }),
);
const platforms = structShape<LaunchProcess['platforms']>(
  `struct { Cloudfoundry ${CLOUDFOUNDRY_TYPE} "yaml:\\"cloudfoundry\\" json:\\"cloudfoundry\\"" }`,
  { cloudfoundry },
  () => ({ cloudfoundry: cloudfoundry.zero() }),
);
const limits = structShape<LaunchProcess['limits']>(
  'struct { Memory int "yaml:\\"memory\\" json:\\"memory\\"" }',
  { memory: intShape },
  () => ({ memory: 0n }),
);
const launchProcess = structShape<LaunchProcess>(
  'resources.Process',
  { type: stringShape, command: stringShape, platforms, limits },
  () => ({ type: '', command: '', platforms: platforms.zero(), limits: limits.zero() }),
);
const launchShape = structShape<{ processes: readonly LaunchProcess[] }>(
  'resources.LaunchData',
  { processes: listShape(launchProcess) },
  () => ({ processes: [] }),
);
const commandsShape: GoShape<ReadonlyMap<string, string>> = mapShape(stringShape);
const releaseShape = structShape<{ default_process_types: ReadonlyMap<string, string> }>(
  'buildpackrunner.Release',
  { default_process_types: mapShape(stringShape, 'buildpackapplifecycle.ProcessTypes') },
  () => ({ default_process_types: new Map() }),
);

/** With Go's int, which holds more than a double does. */
export interface DropinProcess extends ProcessEntry {
  readonly memory?: bigint;
}

/** What the process types are gathered from. */
export interface ProcessSources {
  readonly config: BuilderConfig;
  readonly depsDir: string;
  /** Number of buildpacks that only supply. */
  readonly supplies: number;
  /** Runs the last buildpack's `bin/release`; returns its stdout. */
  readonly release: () => Promise<Buffer>;
}

/** All process types, earlier buildpacks first, the Procfile last. @throws DropinFailure */
export async function gatherProcesses(from: ProcessSources): Promise<readonly DropinProcess[]> {
  let merged: readonly DropinProcess[] = [];
  for (let index = 0; index < from.supplies; index++) {
    merged = mergeProcesses(merged, launchEntries(from.depsDir, index) ?? []);
  }
  const last = launchEntries(from.depsDir, from.config.buildpackOrder.length - 1);
  merged = mergeProcesses(merged, last ?? (await under(SENTENCES.release, () => released(from))));
  const procfile = await under('Failed to read command from Procfile', () => readProcfile(from.config));
  return mergeProcesses(merged, procfile);
}

function launchEntries(depsDir: string, index: number): readonly DropinProcess[] | undefined {
  const path = join(depsDir, String(index), 'launch.yml');
  if (!statWorks(path)) return undefined;
  const { value, message } = decodeYaml(launchShape, decodeYamlBytes(readIfThere(path) ?? Buffer.alloc(0)));
  if (message !== undefined) throw failure(message);
  return value.processes.map((it) => ({
    type: it.type,
    command: it.command,
    sidecarFor: it.platforms.cloudfoundry.sidecar_for,
    ...(it.limits.memory !== 0n && { memory: it.limits.memory }),
  }));
}

async function released(from: ProcessSources): Promise<readonly ProcessEntry[]> {
  const { value, message } = decodeYaml(releaseShape, decodeYamlBytes(await from.release()));
  if (message !== undefined) throw failure("buildpack's release output invalid", message);
  return entriesOf(value.default_process_types);
}

function readProcfile(config: BuilderConfig): readonly ProcessEntry[] {
  const content = readIfThere(join(config.buildDir, 'Procfile'));
  if (content === undefined) return [];
  const { value, message } = decodeYaml(commandsShape, decodeYamlBytes(content));
  if (message !== undefined) throw failure('invalid YAML');
  return entriesOf(value);
}
