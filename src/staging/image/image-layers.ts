/**
 * A droplet as layers, so that a new version of the app sends what changed only: our launcher, each buildpack's
 * directory, what package managers installed in the app, the rest of the droplet, and the app itself last.
 *
 * Times, owners and parents are fixed, so that equal trees are equal layers: every time is 1980-01-01T00:00:01Z, as in
 * images of Cloud Native Buildpacks.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EntrySource } from '../droplet/pack/tarball.ts';
import type { TarOwner } from '../droplet/tar/tar-header.ts';
import { type ContentRoot, type TreeEntry, walkRoots } from '../droplet/tar/tree-walk.ts';
import { IMAGE_LAUNCHER, imageTemplates, LIFECYCLE } from './image-script.ts';

/** One layer that is to be packed. */
export interface LayerPlan {
  /** For the image's history. */
  readonly title: string;
  readonly entries: EntrySource;
}

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

/** Seconds: 1980-01-01T00:00:01Z. */
export const LAYER_TIME = 315_532_801;
const ROOT: TarOwner = { uid: 0, gid: 0, user: '', group: '' };
const VCAP: TarOwner = { uid: 2000, gid: 2000, user: '', group: '' };
const HOME = 'home/vcap';

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
  const inDeps = new Set(deps.map((name) => `${HOME}/deps/${name}`));
  const inSlices = new Set(slices.map((slice) => `${HOME}/app/${slice}`));
  const others = (await readdir(home)).filter((name) => name !== 'app').length;
  return [
    { title: 'stager: launcher', entries: () => launcherEntries() },
    ...deps.map((name) => ({
      title: `buildpack ${name}`,
      entries: treeLayer({ from: join(home, 'deps', name), to: `${HOME}/deps/${name}` }),
    })),
    ...slices.map((slice) => ({
      title: `app: ${slice}`,
      entries: treeLayer({ from: join(app, slice), to: `${HOME}/app/${slice}` }),
    })),
    {
      title: others > 0 ? 'droplet: commands, profile scripts, staging info' : 'droplet: commands',
      entries: (...io) => {
        const left = new Set([`${HOME}/app`, ...inDeps]);
        return chain(commandEntries(processes), homeEntries(home, left, io));
      },
    },
    { title: 'app', entries: treeLayer({ from: app, to: `${HOME}/app` }, inSlices) },
  ];
}

/** A root file system as one layer, everything root's. */
export function rootfsLayer(rootfs: string): EntrySource {
  return function* (onSkipped, atEnd) {
    const roots: readonly ContentRoot[] = [{ kind: 'tree', hostPath: rootfs, archivePath: '.' }];
    for (const entry of walkRoots(roots, { onSkipped, atEnd, sourceDateEpoch: LAYER_TIME })) {
      const name = entry.name.replace(/^\.\//, '');
      const link = entry.type === 'hardlink' ? entry.link.replace(/^\.\//, '') : entry.link;
      if (name !== '') yield { ...entry, name, link, owner: ROOT };
    }
  };
}

function treeLayer(
  tree: { readonly from: string; readonly to: string },
  left: ReadonlySet<string> = new Set(),
): EntrySource {
  return (onSkipped, atEnd) => {
    const roots: readonly ContentRoot[] = [{ kind: 'tree', hostPath: tree.from, archivePath: tree.to }];
    const leaveOut = (name: string): boolean => left.has(name);
    const walk = walkRoots(roots, { onSkipped, atEnd, leaveOut, sourceDateEpoch: LAYER_TIME });
    return chain(parents(tree.to), owned(walk));
  };
}

function* homeEntries(
  home: string,
  left: ReadonlySet<string>,
  [onSkipped, atEnd]: Parameters<EntrySource>,
): Generator<TreeEntry> {
  const roots: readonly ContentRoot[] = [{ kind: 'tree', hostPath: home, archivePath: HOME }];
  const leaveOut = (name: string): boolean => left.has(name);
  const seen = new Set<string>();
  for (const entry of walkRoots(roots, { onSkipped, atEnd, leaveOut, sourceDateEpoch: LAYER_TIME })) {
    seen.add(entry.name);
    // The directory of the run belongs to the runtime, whatever modes it has in the droplet.
    yield entry.name === `${HOME}/` ? directory(entry.name, VCAP) : { ...entry, owner: VCAP };
  }
  for (const name of ['deps', 'logs', 'tmp']) {
    if (!seen.has(`${HOME}/${name}/`)) yield directory(`${HOME}/${name}/`, VCAP);
  }
}

function* launcherEntries(): Generator<TreeEntry> {
  yield directory(`${LIFECYCLE}/`, ROOT);
  yield file(`${LIFECYCLE}/launcher`, IMAGE_LAUNCHER, 0o755);
}

function* commandEntries({ commands, sidecars, entrypointPrefix }: ImageProcesses): Generator<TreeEntry> {
  yield directory('home/', ROOT);
  yield directory(`${LIFECYCLE}/`, ROOT);
  yield directory(`${LIFECYCLE}/commands/`, ROOT);
  const types = Object.keys(commands).sort();
  for (const type of types) yield file(`${LIFECYCLE}/commands/${latin(type)}`, commands[type] ?? '', 0o644);
  yield directory(`${LIFECYCLE}/process/`, ROOT);
  for (const type of types) {
    const name = `${LIFECYCLE}/process/${latin(type)}`;
    yield { ...directory(name, ROOT), type: 'symlink', mode: 0o777, link: '/lifecycle/launcher' };
  }
  for (const [name, text] of Object.entries(imageTemplates(entrypointPrefix)))
    yield file(`${LIFECYCLE}/${name}`, text, 0o644);
  for (const type of types) yield* sidecarEntries(type, sidecars);
}

function* sidecarEntries(type: string, all: ImageProcesses['sidecars']): Generator<TreeEntry> {
  const beside = all.filter(({ process_types: types }) => types.includes(type));
  if (beside.length === 0) return;
  yield directory(`${LIFECYCLE}/sidecars/`, ROOT);
  yield directory(`${LIFECYCLE}/sidecars/${latin(type)}/`, ROOT);
  for (const [index, { command }] of beside.entries())
    yield file(`${LIFECYCLE}/sidecars/${latin(type)}/${index}`, command, 0o644);
}

/** The directories above `path`, which are the same in every layer. */
function* parents(path: string): Generator<TreeEntry> {
  const parts = path.split('/').slice(0, -1);
  for (const [index] of parts.entries()) {
    const name = `${parts.slice(0, index + 1).join('/')}/`;
    yield directory(name, index === 0 ? ROOT : VCAP);
  }
}

function* owned(entries: Iterable<TreeEntry>): Generator<TreeEntry> {
  for (const entry of entries) yield { ...entry, owner: VCAP };
}

function* chain(...all: readonly Iterable<TreeEntry>[]): Generator<TreeEntry> {
  for (const entries of all) yield* entries;
}

function directory(name: string, owner: TarOwner): TreeEntry {
  return { name, type: 'directory', mode: 0o755, size: 0, mtime: LAYER_TIME, link: '', host: '', owner };
}

function file(name: string, text: string, mode: number): TreeEntry {
  const content = Buffer.from(text);
  return { ...directory(name, ROOT), type: 'file', mode, size: content.length, content };
}

const latin = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

async function directoriesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}
