/** A droplet of buildpacks in an image: its layers, and how it is started. */

import type { RunConfig } from '../../stores/registry/documents.ts';
import { StagerError } from '../../words/errors.ts';
import { resultSidecars } from '../../words/result.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import { demandApp } from '../launch/layout.ts';
import { readLaunchInfo } from '../launch/staging-info.ts';
import type { ImageBase } from './bases.ts';
import { dropletLayers, type ImageProcesses } from './image-layers.ts';
import type { ImageLayer } from './image-parts.ts';
import type { LayerPlan } from './layer-entries.ts';

/** What a droplet brings into an image. */
export interface ImageContent {
  readonly plans: readonly LayerPlan[];
  /** `packed` are the layers of `plans`. */
  readonly run: (base: ImageBase, packed: readonly ImageLayer[]) => Promise<RunConfig>;
}

/** What is known of a droplet beside what is in it. */
export interface ContentFacts {
  /** Of stager. */
  readonly version: string;
  readonly record?: StagingRecord;
  /** Process type that the image starts. */
  readonly process?: string;
}

/** The droplet that is unpacked in `home`. @throws StagerError DROPLET_INVALID. */
export async function dropletContent(home: string, facts: ContentFacts): Promise<ImageContent> {
  await demandApp(home);
  const processes = await processesOf(home, facts.record);
  return {
    plans: await dropletLayers(home, processes),
    run: async (base) => runConfig(base, processes, facts),
  };
}

/** Commands by type: a manifest's over the droplet's own, and staging_info.yml for a droplet that nobody recorded. */
async function processesOf(home: string, record: StagingRecord | undefined): Promise<ImageProcesses> {
  const { startCommand, entrypointPrefix } = await readLaunchInfo(home);
  const commands = {
    ...(startCommand !== undefined && { web: startCommand }),
    ...record?.result.process_types,
    ...record?.launch?.commands,
  };
  const named = Object.entries(commands).filter(([, command]) => command.trim() !== '');
  demandTypeNames(named.map(([type]) => type));
  return {
    commands: Object.fromEntries(named),
    sidecars: [...resultSidecars(record?.result), ...(record?.launch?.sidecars ?? [])],
    ...(entrypointPrefix !== undefined && { entrypointPrefix }),
  };
}

/** @throws StagerError NO_START_COMMAND for a type that the droplet does not have. */
export function mainType(types: readonly string[], wanted: string | undefined): string | undefined {
  if (wanted === undefined || types.includes(wanted)) return wanted;
  throw new StagerError('NO_START_COMMAND', `the droplet has no process type ${wanted}`, {
    next: `It has ${types.join(', ') || 'none'}.`,
  });
}

/** Links in an image are named by them. @throws StagerError DROPLET_INVALID. */
export function demandTypeNames(types: readonly string[]): void {
  const wrong = types.find((type) => !/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/.test(type));
  if (wrong === undefined) return;
  const message = `the process type ${JSON.stringify(wrong)} can't be the name of a file`;
  throw new StagerError('DROPLET_INVALID', message, {
    next: 'Give it a name of letters, digits, dots, dashes and underscores.',
  });
}

const PATH = '/usr/local/bin:/usr/bin:/bin';

function runConfig(base: ImageBase, processes: ImageProcesses, facts: ContentFacts): RunConfig {
  const types = Object.keys(processes.commands).sort();
  const main = mainType(types, facts.process ?? (types.includes('web') ? 'web' : types[0]));
  const own = base.config?.config ?? {};
  const inherited = baseVariables(base);
  const env = new Map([
    ...inherited,
    ['PATH', inherited.get('PATH') ?? PATH],
    ['LANG', inherited.get('LANG') ?? 'en_US.UTF-8'],
    ['USER', 'vcap'],
    ['HOME', '/home/vcap/app'],
    ['TMPDIR', '/home/vcap/tmp'],
    ['DEPS_DIR', '/home/vcap/deps'],
    ['PORT', '8080'],
  ]);
  return {
    User: IMAGE_USER,
    ExposedPorts: { '8080/tcp': {} },
    Env: [...env].map(([name, value]) => `${name}=${value}`),
    Entrypoint: [main === undefined ? '/lifecycle/launcher' : `/lifecycle/process/${main}`],
    WorkingDir: '/home/vcap/app',
    Labels: { ...own.Labels, ...labelsOf(base, processes, facts) },
  };
}

/** vcap, by number: a base need not know the name. */
export const IMAGE_USER = '2000:2000';

/** What a base sets for all of its processes. */
export function baseVariables({ config }: ImageBase): Map<string, string> {
  return new Map((config?.config?.Env ?? []).map((line): [string, string] => split(line)));
}

function labelsOf(
  base: ImageBase,
  processes: ImageProcesses,
  { version, record }: ContentFacts,
): Record<string, string> {
  const buildpacks = record?.buildpacks.map(({ name, version, sha256 }) => ({ name, version, sha256 }));
  const top = base.layers.at(-1)?.diffId;
  return {
    'io.stager.version': version,
    'io.stager.processes': JSON.stringify(processes.commands),
    ...(buildpacks !== undefined && { 'io.stager.buildpacks': JSON.stringify(buildpacks) }),
    ...(record !== undefined && {
      'io.stager.stack': record.stack,
      'io.stager.droplet.sha256': record.droplet.sha256,
      'org.opencontainers.image.title': record.app.name,
    }),
    ...(top !== undefined && { 'io.stager.base.top-layer': top }),
    'org.opencontainers.image.base.name': base.name,
    ...(base.digest !== undefined && { 'org.opencontainers.image.base.digest': base.digest }),
  };
}

function split(line: string): [string, string] {
  const equals = line.indexOf('=');
  return equals === -1 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
}
