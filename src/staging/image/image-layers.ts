/**
 * A droplet as layers, so that a new version of the app sends what changed only: our launcher, each buildpack's
 * directory, what package managers installed in the app, the rest of the droplet, and the app itself last.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EntrySource } from '../droplet/pack/tarball.ts';
import { type ContentRoot, type TreeEntry, walkRoots } from '../droplet/tar/tree-walk.ts';
import { IMAGE_LAUNCHER, imageTemplates, LIFECYCLE } from './image-script.ts';
import {
  chainEntries,
  directoryEntry,
  IMAGE_HOME,
  LAYER_TIME,
  type LayerPlan,
  latinName,
  linkEntry,
  ROOT_OWNER,
  textEntry,
  treeLayer,
  VCAP_OWNER,
} from './layer-entries.ts';

/** What the image needs to know of a droplet. */
export interface ImageProcesses {
  /** Process type → command. */
  readonly commands: Readonly<Record<string, string>>;
  readonly sidecars: readonly {
    readonly name: string;
    readonly command: string;
    readonly process_types: readonly string[];
  }[];
  readonly entrypointPrefix?: string;
}

/** Where package managers put what they install; each is a layer of its own when it is there. */
const SLICES = [
  'node_modules',
  'vendor',
  '.venv',
  '.bundle',
  'BOOT-INF/lib',
  'WEB-INF/lib',
  'META-INF/lib',
] as const;

/** The layers of the droplet that is unpacked in `home`. */
export async function dropletLayers(home: string, processes: ImageProcesses): Promise<readonly LayerPlan[]> {
  const app = join(home, 'app');
  const slices = SLICES.filter((slice) => existsSync(join(app, slice)));
  const deps = await directoriesIn(join(home, 'deps'));
  const inDeps = new Set(deps.map((name) => `${IMAGE_HOME}/deps/${name}`));
  const inSlices = new Set(slices.map((slice) => `${IMAGE_HOME}/app/${slice}`));
  const others = (await readdir(home)).filter((name) => name !== 'app').length;
  return [
    { title: 'stager: launcher', entries: () => launcherEntries() },
    ...deps.map((name) => ({
      title: `buildpack ${name}`,
      entries: treeLayer({ from: join(home, 'deps', name), to: `${IMAGE_HOME}/deps/${name}` }),
    })),
    ...slices.map((slice) => ({
      title: `app: ${slice}`,
      entries: treeLayer({ from: join(app, slice), to: `${IMAGE_HOME}/app/${slice}` }),
    })),
    {
      title: others > 0 ? 'droplet: commands, profile scripts, staging info' : 'droplet: commands',
      entries: (...io) => {
        const left = new Set([`${IMAGE_HOME}/app`, ...inDeps]);
        return chainEntries(commandEntries(processes), homeEntries(home, left, io));
      },
    },
    {
      title: 'app',
      entries: treeLayer({ from: app, to: `${IMAGE_HOME}/app` }, (name) => inSlices.has(name)),
    },
  ];
}

/** A root file system as one layer, everything root's. */
export function rootfsLayer(rootfs: string): EntrySource {
  return function* (onSkipped, atEnd) {
    const roots: readonly ContentRoot[] = [{ kind: 'tree', hostPath: rootfs, archivePath: '.' }];
    for (const entry of walkRoots(roots, { onSkipped, atEnd, sourceDateEpoch: LAYER_TIME })) {
      const name = entry.name.replace(/^\.\//, '');
      const link = entry.type === 'hardlink' ? entry.link.replace(/^\.\//, '') : entry.link;
      if (name !== '') yield { ...entry, name, link, owner: ROOT_OWNER };
    }
  };
}

function* homeEntries(
  home: string,
  left: ReadonlySet<string>,
  [onSkipped, atEnd]: Parameters<EntrySource>,
): Generator<TreeEntry> {
  const roots: readonly ContentRoot[] = [{ kind: 'tree', hostPath: home, archivePath: IMAGE_HOME }];
  const leaveOut = (name: string): boolean => left.has(name);
  const seen = new Set<string>();
  for (const entry of walkRoots(roots, { onSkipped, atEnd, leaveOut, sourceDateEpoch: LAYER_TIME })) {
    seen.add(entry.name);
    // The directory of the run belongs to the runtime, whatever modes it has in the droplet.
    yield entry.name === `${IMAGE_HOME}/`
      ? directoryEntry(entry.name, VCAP_OWNER)
      : { ...entry, owner: VCAP_OWNER };
  }
  for (const name of ['deps', 'logs', 'tmp']) {
    if (!seen.has(`${IMAGE_HOME}/${name}/`)) yield directoryEntry(`${IMAGE_HOME}/${name}/`, VCAP_OWNER);
  }
}

function* launcherEntries(): Generator<TreeEntry> {
  yield directoryEntry(`${LIFECYCLE}/`, ROOT_OWNER);
  yield textEntry(`${LIFECYCLE}/launcher`, IMAGE_LAUNCHER, 0o755);
}

function* commandEntries({ commands, sidecars, entrypointPrefix }: ImageProcesses): Generator<TreeEntry> {
  yield directoryEntry('home/', ROOT_OWNER);
  yield directoryEntry(`${LIFECYCLE}/`, ROOT_OWNER);
  yield directoryEntry(`${LIFECYCLE}/commands/`, ROOT_OWNER);
  const types = Object.keys(commands).sort();
  for (const type of types)
    yield textEntry(`${LIFECYCLE}/commands/${latinName(type)}`, commands[type] ?? '', 0o644);
  yield directoryEntry(`${LIFECYCLE}/process/`, ROOT_OWNER);
  for (const type of types) {
    const name = `${LIFECYCLE}/process/${latinName(type)}`;
    yield linkEntry(name, '/lifecycle/launcher');
  }
  for (const [name, text] of Object.entries(imageTemplates(entrypointPrefix)))
    yield textEntry(`${LIFECYCLE}/${name}`, text, 0o644);
  for (const type of types) yield* sidecarEntries(type, sidecars);
}

function* sidecarEntries(type: string, all: ImageProcesses['sidecars']): Generator<TreeEntry> {
  const beside = all.filter(({ process_types: types }) => types.includes(type));
  if (beside.length === 0) return;
  yield directoryEntry(`${LIFECYCLE}/sidecars/`, ROOT_OWNER);
  yield directoryEntry(`${LIFECYCLE}/sidecars/${latinName(type)}/`, ROOT_OWNER);
  for (const [index, { command }] of beside.entries())
    yield textEntry(`${LIFECYCLE}/sidecars/${latinName(type)}/${index}`, command, 0o644);
}

async function directoriesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}
