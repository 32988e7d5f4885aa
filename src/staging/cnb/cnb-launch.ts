/** What buildpacks say about launching: launch.toml, build.toml, layer metadata (buildpack-contracts.md 5.8, 5.9). */
import { z } from 'zod';
import { StagerError } from '../../words/errors.ts';
import type { CnbDescriptor } from './cnb-descriptor.ts';
import { parseToml } from './cnb-toml.ts';

/** One process. */
export interface CnbProcess {
  readonly type: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly direct: boolean;
  readonly default: boolean;
  readonly workingDir?: string;
  readonly buildpack: string;
}

/** What `launch.toml` holds. */
export interface LaunchToml {
  readonly processes: readonly CnbProcess[];
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  readonly slices: readonly { readonly paths: readonly string[] }[];
}

const Process = z.looseObject({
  type: z.string().regex(/^[A-Za-z0-9._-]+$/),
  command: z.union([z.string(), z.array(z.string()).min(1)]),
  args: z.array(z.string()).default([]),
  direct: z.boolean().optional(),
  default: z.boolean().default(false),
  'working-dir': z.string().optional(),
});
/** `launch.toml`. */
export const LaunchDocument = z.looseObject({
  processes: z.array(Process).default([]),
  labels: z.array(z.looseObject({ key: z.string(), value: z.string() })).default([]),
  slices: z.array(z.looseObject({ paths: z.array(z.string()).default([]) })).default([]),
});
const Build = z.looseObject({ unmet: z.array(z.looseObject({ name: z.string().min(1) })).default([]) });
const Flags = z.looseObject({
  launch: z.boolean().default(false),
  build: z.boolean().default(false),
  cache: z.boolean().default(false),
});
/** `<layer>.toml`. */
export const LayerDocument = z.looseObject({ types: Flags.optional(), metadata: z.unknown().optional() });

/** Which of the three a layer is, and what its buildpack keeps with it. */
export interface LayerToml {
  readonly launch: boolean;
  readonly build: boolean;
  readonly cache: boolean;
  readonly metadata: unknown;
}

/** @throws StagerError COMPILE_FAILED for what a buildpack may not write. */
export function readLaunchToml(text: string, buildpack: CnbDescriptor): LaunchToml {
  const { processes, labels, slices } = parsed(LaunchDocument, text, { buildpack, file: 'launch.toml' });
  if (processes.filter((it) => it.default).length > 1)
    throw refused(buildpack, 'launch.toml has several default processes');
  return {
    processes: processes.map((process) => processOf(process, buildpack)),
    labels: labels.map(({ key, value }) => ({ key, value })),
    slices: slices.map(({ paths }) => ({ paths })),
  };
}

function processOf(process: z.infer<typeof Process>, buildpack: CnbDescriptor): CnbProcess {
  const { type, command, args, direct, 'working-dir': workingDir } = process;
  const lists = buildpack.api >= 9;
  if (lists && typeof command === 'string')
    throw refused(buildpack, `the command of ${type} is a string, but has to be a list`);
  if (!lists && typeof command !== 'string')
    throw refused(buildpack, `the command of ${type} is a list, but has to be a string`);
  if (lists && direct !== undefined)
    throw refused(buildpack, `the process ${type} has the key direct, which was removed in API 0.9`);
  return {
    type,
    command: typeof command === 'string' ? [command] : command,
    args,
    direct: lists || (direct ?? false),
    default: process.default,
    ...(workingDir !== undefined && buildpack.api >= 8 && { workingDir }),
    buildpack: buildpack.id,
  };
}

/** Names that a buildpack did not meet. @throws StagerError COMPILE_FAILED for one that is not in its plan. */
export function readUnmet(
  text: string,
  buildpack: CnbDescriptor,
  planned: readonly string[],
): readonly string[] {
  const names = parsed(Build, text, { buildpack, file: 'build.toml' }).unmet.map(({ name }) => name);
  const stranger = names.find((name) => !planned.includes(name));
  if (stranger !== undefined)
    throw refused(buildpack, `build.toml calls ${stranger} unmet, which is not in its plan`);
  return names;
}

/** @throws StagerError COMPILE_FAILED; also for a type outside of `[types]`. */
export function readLayerToml(text: string, buildpack: CnbDescriptor, layer: string): LayerToml {
  const document = parsed(LayerDocument, text, { buildpack, file: `${layer}.toml` });
  const outside = ['launch', 'build', 'cache'].find((name) => name in document);
  if (outside !== undefined) throw refused(buildpack, `${layer}.toml has ${outside} outside [types]`);
  const { launch = false, build = false, cache = false } = document.types ?? {};
  return { launch, build, cache, metadata: document.metadata };
}

/** Processes of all buildpacks: of one type the last counts; sorted by type, with the default if there is one. */
export function mergeCnbProcesses(lists: readonly (readonly CnbProcess[])[]): {
  readonly processes: readonly CnbProcess[];
  readonly defaultType?: string;
} {
  const byType = new Map<string, CnbProcess>();
  let defaultType: string | undefined;
  for (const list of lists) {
    for (const process of list) {
      byType.set(process.type, process);
      if (process.default) defaultType = process.type;
      else if (defaultType === process.type) defaultType = undefined;
    }
  }
  const processes = [...byType.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
  return { processes, ...(defaultType !== undefined && { defaultType }) };
}

/** As Cloud Foundry's lifecycle has it: without `web`, a copy of the default process, or of the only one. */
export function withWeb(merged: ReturnType<typeof mergeCnbProcesses>): readonly CnbProcess[] {
  const { processes, defaultType } = merged;
  if (processes.some(({ type }) => type === 'web')) return processes;
  const source =
    processes.find(({ type }) => type === defaultType) ?? (processes.length === 1 ? processes[0] : undefined);
  return source === undefined ? processes : [...processes, { ...source, type: 'web' }];
}

function parsed<T>(
  schema: z.ZodType<T>,
  text: string,
  { buildpack, file }: { readonly buildpack: CnbDescriptor; readonly file: string },
): T {
  const read = parseToml(text);
  if (!read.ok) throw refused(buildpack, `${file}: ${read.reason}`);
  const found = schema.safeParse(read.value);
  if (found.success) return found.data;
  throw refused(buildpack, `${file}: ${z.prettifyError(found.error)}`);
}

function refused({ id, version }: CnbDescriptor, why: string): StagerError {
  return new StagerError('COMPILE_FAILED', `the buildpack ${id}@${version} left something unusable: ${why}`, {
    next: 'Report it to its authors; another version may work.',
    details: { buildpack: id },
  });
}
