/**
 * The /etc that a sandbox sees: a copy, so that our files can be put into it and nothing of the stack is
 * written to.
 *
 * Only what everybody may read is copied; of the machine's own /etc (stack `host`) only what host-etc.ts lists.
 */
import { constants, type Dirent } from 'node:fs';
import { chmod, copyFile, lstat, readdir, readFile, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { errnoOf } from '../../../words/errors.ts';
import { makeDirectory, writeExact } from '../child/files.ts';
import { isListedEtc } from './host-etc.ts';
import { type MountPoint, makeMountPoint } from './mount-points.ts';

/** Never copied, whatever they are in: private keys and files of passwords. */
const SECRET_NAME =
  /^(g?shadow-?|sudoers.*|.*\.(key|keytab|p12|pfx|jks|kdbx)|private|auth\.conf.*|credentials?|\.?netrc|ssh_host_.*)$/i;
/** Settings of package managers: useful (mirrors), but some people keep a token in them. */
const CHECKED_NAME = /^(apt\/sources.*|npmrc|pip\.conf|gitconfig|wgetrc)$/;
const CREDENTIALS = /_auth|passw|token|secret|extraheader|:\/\/[^\s/@]+@/i;

/** Files above this size are not copied from an /etc; nothing there should be that large. */
const MAX_FILE_BYTES = 32 * 1024 * 1024;

/** What is written rather than copied. */
export interface EtcOptions {
  /** Root whose /etc is copied; `/` for the machine's own. */
  readonly root: string;
  /** Take only what is known to hold no secret. */
  readonly allowListOnly: boolean;
  readonly user: { readonly uid: number; readonly gid: number };
  /** What is mounted over something in it; paths below /etc. */
  readonly points: readonly MountPoint[];
}

/** Makes `directory` (must not exist) the /etc of a sandbox. */
export async function composeEtc(directory: string, options: EtcOptions): Promise<void> {
  await makeDirectory(directory, 0o755);
  const from = join(options.root, 'etc');
  const limit = pLimit(16);
  await copyTree({ from, to: directory, path: '', keep: keptOf(options), run: (task) => limit(task) });
  await writeOwnFiles(directory, options);
  for (const point of options.points) await makeMountPoint(directory, point);
}

/** Which entries of an /etc are copied, by their paths below it. */
export function keptOf({ allowListOnly }: Pick<EtcOptions, 'allowListOnly'>): (path: string) => boolean {
  return allowListOnly ? isKeptOfHost : (path) => !isSecret(path);
}

const isKeptOfHost = (path: string): boolean => !isSecret(path) && isListedEtc(path);

const isSecret = (path: string): boolean => SECRET_NAME.test(path.slice(path.lastIndexOf('/') + 1));

interface Copy {
  readonly from: string;
  readonly to: string;
  /** Relative to /etc; empty at the top. */
  readonly path: string;
  readonly keep: (path: string) => boolean;
  readonly run: (task: () => Promise<void>) => Promise<void>;
}

async function copyTree(copy: Copy): Promise<void> {
  const entries = await readdir(copy.from, { withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EACCES' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  });
  await Promise.all(entries.map((entry) => copyEntry(copy, entry)));
}

async function copyEntry(copy: Copy, entry: Dirent): Promise<void> {
  const path = copy.path === '' ? entry.name : `${copy.path}/${entry.name}`;
  if (!copy.keep(path)) return;
  const from = join(copy.from, entry.name);
  const to = join(copy.to, entry.name);
  if (entry.isSymbolicLink()) return await copy.run(async () => symlink(await readlink(from), to));
  const stats = await lstat(from);
  if (entry.isDirectory() && (stats.mode & 0o005) === 0o005) {
    await makeDirectory(to, 0o755);
    await copyTree({ ...copy, from, to, path });
  }
  if (!entry.isFile() || (stats.mode & 0o004) === 0 || stats.size > MAX_FILE_BYTES) return;
  await copy.run(async () => {
    if (CHECKED_NAME.test(path) && CREDENTIALS.test(await readFile(from, 'utf8'))) return;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    await chmod(to, stats.mode & 0o755);
  });
}

/** vcap must have a name and a home; an entry of the stack with the same name or id would hide it. */
async function writeOwnFiles(directory: string, options: EtcOptions): Promise<void> {
  const { uid, gid } = options.user;
  const shell = (await exists(join(options.root, 'bin/bash'))) ? '/bin/bash' : '/bin/sh';
  const known = options.allowListOnly
    ? { passwd: BASE_PASSWD, group: BASE_GROUP }
    : await ownersOf(directory);
  const isOurs = (line: string, id: number): boolean => {
    const [name, , number] = line.split(':');
    return name === 'vcap' || number === String(id);
  };
  const files: Readonly<Record<string, readonly string[]>> = {
    passwd: [
      ...known.passwd.filter((line) => !isOurs(line, uid)),
      `vcap:x:${uid}:${gid}:vcap:/home/vcap:${shell}`,
    ],
    group: [...known.group.filter((line) => !isOurs(line, gid)), `vcap:x:${gid}:`],
    // Mount points: every sandbox has these of its own.
    hosts: [],
    'resolv.conf': [],
    hostname: [],
  };
  for (const [name, lines] of Object.entries(files)) {
    const path = join(directory, name);
    await rm(path, { force: true, recursive: true });
    await writeExact(path, lines.map((line) => `${line}\n`).join(''), 0o644);
  }
}

const BASE_PASSWD = ['root:x:0:0:root:/root:/bin/sh', 'nobody:x:65534:65534:nobody:/nonexistent:/bin/false'];
const BASE_GROUP = ['root:x:0:', 'tty:x:5:', 'nogroup:x:65534:'];

async function ownersOf(directory: string): Promise<{ passwd: readonly string[]; group: readonly string[] }> {
  const [passwd = [], group = []] = await Promise.all(
    ['passwd', 'group'].map(async (name) => {
      const path = join(directory, name);
      const isFile = await lstat(path).then(
        (stats) => stats.isFile(),
        () => false,
      );
      return isFile ? (await readFile(path, 'utf8')).split('\n').filter(Boolean) : undefined;
    }),
  );
  return { passwd: passwd.length > 0 ? passwd : BASE_PASSWD, group: group.length > 0 ? group : BASE_GROUP };
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}
