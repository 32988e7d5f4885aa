/**
 * The root file system of one sandbox: a fresh directory whose top-level entries are mount points for the stack's
 * directories, links, and our own /etc, /home, /dev, /proc.
 *
 * Nothing is mounted on the host: the runtime mounts inside the sandbox's own mount namespace, so removing the
 * directory afterwards touches nothing of the stack. Paths below it are made without ever following a link, since
 * links come from the stack and may point anywhere on the host.
 */
import { lstat, readdir, readlink, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../../../words/errors.ts';
import { makeDirectory } from '../child/files.ts';
import { InsideView } from '../child/inside-view.ts';
import type { Mount, Rootfs, SandboxSpec } from '../port/sandbox.ts';
import { coveredBy, makeDirectories, makeMountPoint, pointFor, unlessThere } from './mount-points.ts';

/** A composed root, ready to be handed to a runtime. */
export interface ComposedRoot {
  /** Host directory. */
  readonly path: string;
  /** Bind mounts in the order in which they have to be made. */
  readonly binds: readonly Mount[];
  /** True when something of the command's is mounted at /tmp. */
  readonly hasTmp: boolean;
  readonly view: InsideView;
}

/** Of the machine's root: programs and libraries, nothing else. */
const HOST_DIRECTORIES = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'libo32'] as const;
/** Of the machine's /var: what package managers read. */
const HOST_VAR = ['lib/dpkg', 'cache/fontconfig'] as const;
/** Ours in every sandbox; a stack's own are not shown. */
const OURS: ReadonlySet<string> = new Set(['proc', 'sys', 'dev', 'tmp', 'run', 'etc', 'var', 'home', 'root']);
const EMPTY = ['proc', 'sys', 'dev', 'tmp', 'run', 'etc', 'var', 'home', 'root'] as const;
const VAR_LINKS = { tmp: '/tmp', run: '/run', lock: '/run/lock' } as const;

/** What a root is composed of. */
export interface RootParts {
  readonly spec: Pick<SandboxSpec, 'rootfs' | 'mounts' | 'links'>;
  /** Host directory that becomes /etc, with what is mounted over something in it. */
  readonly etc: string;
  /** Host files that cover files of /etc: name → host path. */
  readonly etcFiles: Readonly<Record<string, string>>;
}

/**
 * Makes `path` (must not exist) the root for one sandbox.
 *
 * @throws StagerError SANDBOX_FAILED when a mount point can't be made.
 */
export async function composeRoot(path: string, parts: RootParts): Promise<ComposedRoot> {
  const { spec } = parts;
  const links = Object.entries(spec.links ?? {});
  const taken = new Set(links.map(([inside]) => inside.slice(1)));
  await makeDirectory(path, 0o755);
  for (const name of EMPTY) await makeDirectory(join(path, name), 0o755);
  await makeDirectory(join(path, 'run/lock'), 0o755);
  const binds: Mount[] = [];
  const add = (name: string, source: string): void => {
    binds.push({ source, target: `/${name}`, writable: false });
  };
  const from = spec.rootfs.kind === 'host' ? '/' : spec.rootfs.path;
  const top = spec.rootfs.kind === 'host' ? HOST_DIRECTORIES : await stackEntries(spec.rootfs);
  for (const name of top) {
    if (!taken.has(name))
      await mirror({ from: join(from, name), to: join(path, name), bind: (s) => add(name, s) });
  }
  await composeVar(path, spec.rootfs, add);
  add('etc', parts.etc);
  for (const [inside, target] of links) await makeLink(path, inside, target);
  for (const [name, source] of Object.entries(parts.etcFiles)) add(`etc/${name}`, source);
  for (const mount of spec.mounts) {
    // Below another mount the stack has to have it.
    if (coveredBy(mount.target, binds) === undefined) await makeMountPoint(path, await pointFor(mount));
    binds.push(mount);
  }
  const hasTmp = spec.mounts.some((mount) => mount.target === '/tmp');
  return { path, binds, hasTmp, view: new InsideView(path, binds) };
}

async function stackEntries(rootfs: Extract<Rootfs, { kind: 'directory' }>): Promise<string[]> {
  return (await readdir(rootfs.path)).filter((name) => !OURS.has(name));
}

interface Mirrored {
  readonly from: string;
  readonly to: string;
  readonly bind: (source: string) => void;
}

/** A directory becomes a mount point, a link the same link; anything else is left out. */
async function mirror({ from, to, bind }: Mirrored): Promise<void> {
  const stats = await lstat(from).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  });
  if (stats?.isSymbolicLink() === true) {
    return await unlessThere(symlink(await readlink(from), to));
  }
  if (stats?.isDirectory() !== true) return;
  await unlessThere(makeDirectory(to, 0o755));
  bind(from);
}

async function composeVar(
  path: string,
  rootfs: Rootfs,
  add: (name: string, source: string) => void,
): Promise<void> {
  for (const [name, target] of Object.entries(VAR_LINKS)) await symlink(target, join(path, 'var', name));
  for (const name of ['lib', 'cache', 'log']) await makeDirectory(join(path, 'var', name), 0o755);
  const from = rootfs.kind === 'host' ? '/var' : join(rootfs.path, 'var');
  const names = rootfs.kind === 'host' ? HOST_VAR : await ownVar(from);
  for (const name of names) {
    await mirror({
      from: join(from, name),
      to: join(path, 'var', name),
      bind: (source) => add(`var/${name}`, source),
    });
  }
}

async function ownVar(directory: string): Promise<string[]> {
  const isDirectory = await lstat(directory).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  return isDirectory ? (await readdir(directory)).filter((name) => !(name in VAR_LINKS)) : [];
}

async function makeLink(root: string, inside: string, target: string): Promise<void> {
  const at = join(root, inside);
  await makeDirectories(root, dirname(inside));
  await symlink(target, at);
}
