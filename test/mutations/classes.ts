/** Every kind of file that is stored, and what can happen to it. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Command } from './rig.ts';

/** A kind of file: where it is, and which commands use it. */
export interface FileClass {
  readonly name: string;
  /** Below the rig's directory. */
  readonly glob: string;
  readonly commands: readonly Command[];
  /** A mutation that nobody could tell from what is usual. */
  readonly without?: string;
}

const STAGED = ['stage', 'reuse'] as const;
const BLOBS = ['stage', 'package', 'verify'] as const;
export const of = (name: string, glob: string, commands: readonly Command[]): FileClass => ({
  name,
  glob,
  commands,
});

export const CLASSES: readonly FileClass[] = [
  of('package listing, link', 'home/blobs/packages/??/??/*-*', ['package', 'verify']),
  of('package listing, data', 'home/blobs/packages/??/??/*-*@', ['package', 'verify']),
  of('directory of packages', 'home/blobs/packages', BLOBS),
  of('pack, link', 'home/blobs/resources/**/packs/*', ['package', 'verify']),
  of('pack, data', 'home/blobs/resources/**/packs/*@', ['package', 'verify']),
  of('index segment, link', 'home/blobs/resources/**/index/*', BLOBS),
  of('index segment, data', 'home/blobs/resources/**/index/*@', BLOBS),
  of('directory of resources', 'home/blobs/resources', BLOBS),
  of('droplet, link', 'home/blobs/droplets/??/??/*/*', ['reuse', 'run', 'verify']),
  of('droplet, data', 'home/blobs/droplets/??/??/*/*@', ['reuse', 'run', 'verify']),
  of('directory of droplets', 'home/blobs/droplets', ['stage', 'run']),
  of('build cache, link', 'home/blobs/buildpack_cache/**/[0-9a-f]???????????????', ['stage']),
  of('build cache, data', 'home/blobs/buildpack_cache/**/[0-9a-f]???????????????@', ['stage']),
  of('fingerprint of a build cache, link', 'home/blobs/buildpack_cache/**/*.fingerprint', ['stage']),
  of('fingerprint of a build cache, data', 'home/blobs/buildpack_cache/**/*.fingerprint@', ['stage']),
  of('directory of build caches', 'home/blobs/buildpack_cache', ['stage']),
  of('directory of data', 'home/blobs/.data', ['stage', 'run']),
  of('directory of temporary blobs', 'home/blobs/.tmp', ['stage']),
  of('blobstore', 'home/blobs', ['stage', 'run']),
  of('list of buildpacks', 'home/buildpacks/index.json', ['stage']),
  of('marks of shipped buildpacks', 'home/buildpacks/shipped.json', ['stage']),
  of('file of an installed buildpack', 'home/buildpacks/store/*/tree/lib/data', STAGED),
  of('script of an installed buildpack', 'home/buildpacks/store/*/tree/bin/supply', ['stage']),
  of('directory in a buildpack', 'home/buildpacks/store/*/tree/lib', ['stage']),
  of('tree of a buildpack', 'home/buildpacks/store/*/tree', ['stage']),
  of('seal of a buildpack', 'home/buildpacks/store/*/tree.seal', ['stage']),
  of('directory of a buildpack', 'home/buildpacks/store/*', ['stage']),
  of('directory of trees', 'home/buildpacks/store', ['stage']),
  of('alias of an archive', 'home/buildpacks/aliases/archive-*', ['stage']),
  of('directory of aliases', 'home/buildpacks/aliases', ['stage']),
  of('directory of leases', 'home/buildpacks/leases', ['stage']),
  of('directory of buildpacks', 'home/buildpacks', ['stage']),
  of('record of a stack', 'home/stacks/names/mini.json', ['stack']),
  of('directory of the names of stacks', 'home/stacks/names', ['stack']),
  of('directory of a stack', 'home/stacks/trees/*', ['stack']),
  of('root of a stack', 'home/stacks/trees/*/rootfs', ['stack']),
  of('file of a stack', 'home/stacks/trees/*/rootfs/file', ['stack']),
  of('seal of a stack', 'home/stacks/trees/*/tree.seal', ['stack']),
  of('users of a stack', 'home/stacks/trees/*/users', ['stack']),
  of('directory of stacks', 'home/stacks', ['stack', 'stage']),
  of('record of a staging', 'home/stagings/*.json', ['reuse', 'run']),
  of('directory of records', 'home/stagings', ['stage', 'run']),
  of('directory of workspaces', 'home/workspaces', ['stage']),
  of('compressed member', 'home/members/??/*', ['stage']),
  of('directory of members', 'home/members', ['stage']),
  of('directory of new members', 'home/members/tmp', ['stage']),
  of('stat cache', 'home/cache/stat/*', ['stage']),
  of('directory of stat caches', 'home/cache/stat', ['stage']),
  of('downloaded file', 'home/cache/downloads/*/body', ['stage']),
  of('facts of a download', 'home/cache/downloads/*/body.json', ['stage']),
  of('directory of a download', 'home/cache/downloads/*', ['stage']),
  of('directory of downloads', 'home/cache/downloads', ['stage']),
];

/** The file of a class: of several that of the package that is staged, else the youngest; `@` is what a link leads to. */
export function fileOf(dir: string, { glob, name }: FileClass): string {
  const staged = readFileSync(join(dir, 'home/newest-package'), 'utf8');
  const age = (it: string): number =>
    it.includes(staged) ? Number.NEGATIVE_INFINITY : -lstatSync(join(dir, it)).mtimeMs;
  const [found] = globSync(glob.replace('@', ''), { cwd: dir }).toSorted((a, b) => age(a) - age(b));
  if (found === undefined) throw new Error(`there is no ${name}: ${glob}`);
  const path = join(dir, found);
  return glob.endsWith('@') ? join(dirname(path), readLink(path)) : path;
}

const readLink = (path: string): string => {
  const stats = lstatSync(path);
  return stats.isSymbolicLink() ? relative(dirname(path), realpathSync(path)) : '';
};

const bytes = (change: (bytes: Buffer) => Buffer) => (path: string) =>
  writeFileSync(path, change(readFileSync(path)));
const instead = (make: (path: string) => void) => (path: string) => {
  rmSync(path, { recursive: true });
  make(path);
};
const isFile = (path: string): boolean => lstatSync(path).isFile();
const any = (): boolean => true;

/** One thing that happens to a file. */
export interface Mutation {
  readonly name: string;
  readonly fits: (path: string, dir: string) => boolean;
  readonly apply: (path: string, dir: string) => void;
  /** It only hurts who is not root. */
  readonly asOrdinaryUser?: true;
}

const older = (path: string, dir: string): string => join(dir, 'older', relative(dir, path));

export const MUTATIONS: readonly Mutation[] = [
  { name: 'empty', fits: isFile, apply: (path) => writeFileSync(path, '') },
  { name: 'half', fits: isFile, apply: bytes((it) => it.subarray(0, it.length >> 1)) },
  { name: 'one byte shorter', fits: isFile, apply: bytes((it) => it.subarray(0, -1)) },
  {
    name: 'one bit',
    fits: isFile,
    apply: bytes((it) => {
      const at = it.length >> 1;
      if (it.length > 0) it[at] = (it[at] ?? 0) ^ 1;
      return it;
    }),
  },
  { name: 'random', fits: isFile, apply: bytes((it) => randomBytes(it.length)) },
  { name: 'appended', fits: isFile, apply: bytes((it) => Buffer.concat([it, Buffer.from('more')])) },
  {
    name: 'a directory',
    fits: (path) => !lstatSync(path).isDirectory(),
    apply: instead((path) => mkdirSync(path)),
  },
  {
    name: 'a file',
    fits: (path) => !isFile(path),
    apply: instead((path) => writeFileSync(path, 'in the way')),
  },
  {
    name: 'a link to elsewhere',
    fits: any,
    apply: (path, dir) => {
      const isDirectory = lstatSync(path).isDirectory();
      const to = join(dir, 'elsewhere');
      rmSync(to, { recursive: true, force: true });
      if (isDirectory) mkdirSync(to);
      else writeFileSync(to, 'elsewhere');
      rmSync(path, { recursive: true });
      symlinkSync(to, path);
    },
  },
  { name: 'a dangling link', fits: any, apply: instead((path) => symlinkSync('/nowhere/at/all', path)) },
  { name: 'a link to itself', fits: any, apply: instead((path) => symlinkSync(path, path)) },
  { name: 'removed', fits: any, apply: (path) => rmSync(path, { recursive: true }) },
  {
    name: 'old version of itself',
    fits: (path, dir) => isFile(path) && existsSync(older(path, dir)),
    apply: (path, dir) => cpSync(older(path, dir), path, { preserveTimestamps: true }),
  },
  {
    name: 'mode 000',
    fits: (path) => !lstatSync(path).isSymbolicLink(),
    apply: (path) => chmodSync(path, 0),
    asOrdinaryUser: true,
  },
  {
    name: 'another owner',
    fits: () => process.getuid?.() === 0,
    apply: (path) => {
      lchownSync(path, 0, 0);
      if (!lstatSync(path).isSymbolicLink()) chmodSync(path, 0o600);
    },
    asOrdinaryUser: true,
  },
];
