/**
 * A file system in a sparse file, mounted through a loop device: what a script does to it ends at its size, however
 * fast it is and whatever it does. The file has no name any longer once it is mounted and the device detaches itself,
 * so nothing of it is left when the mount is gone.
 */
import { type FileHandle, open, rm, statfs } from 'node:fs/promises';
import { execa } from 'execa';
import { errnoOf } from '../../../words/errors.ts';
import { asidePath } from '../../host/process-label.ts';
import type { VolumeSize } from '../port/volume.ts';
import { SYSTEM_PATH } from './unmount.ts';

const MIB = 1024 * 1024;
const BLOCK = 4_096;
const INODE = 256;
/** ext4 keeps 16 MiB for itself; as much again, so that whoever is over the limit is seen to be. */
const SLACK = 32 * MIB;
/** Files that take no block of their own, beside those that do. */
const EMPTY_FILES = 32_768;
/**
 * No journal and no recovery: what is in it is of no use after a crash. By name, since a distribution's defaults
 * may hold what needs a journal.
 */
const FEATURES =
  'none,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,dir_index,extra_isize,metadata_csum';
/** How an image is mounted. */
export const IMAGE_MOUNT = 'loop,nosuid,nodev,noatime,noinit_itable,errors=remount-ro';

/** The programs; absolute paths. */
export interface ImagePlan {
  readonly mkfs: string;
  readonly mount: string;
  /** Ends them with this process. */
  readonly setpriv: string;
  /** Takes the blocks of an image at once; absent: layers can't be had. */
  readonly fallocate?: string | undefined;
}

/** The file behind a volume. */
export interface Image {
  /** Open, since the file has no name. */
  readonly file: FileHandle;
}

/** Inodes of a volume: every block may be a file's, and some take none. */
export function imageFiles({ bytes, files }: VolumeSize): number {
  const most = Math.ceil(bytes / BLOCK) + EMPTY_FILES;
  return Math.min(files ?? most, most);
}

/** Bytes of an image whose files may take `bytes`. */
export function imageBytes(size: VolumeSize): number {
  const { bytes } = size;
  const whole = bytes + Math.ceil(bytes / 64) + imageFiles(size) * INODE + SLACK;
  return Math.ceil(whole / MIB) * MIB;
}

/** @throws what the programs said. */
export async function mountImage(at: string, size: VolumeSize, plan: ImagePlan): Promise<Image> {
  const path = asidePath(at);
  try {
    const file = await makeFileSystem(path, size, { plan });
    try {
      await runTied(plan, [plan.mount, '-t', 'ext4', '-o', IMAGE_MOUNT, path, at]);
      return { file };
    } catch (error) {
      await file.close();
      throw error;
    }
  } finally {
    await rm(path, { force: true });
  }
}

/**
 * Makes a file with an empty file system in it.
 *
 * @param whole take all blocks of it now: later there may be none left.
 * @throws what the programs said.
 */
export async function makeFileSystem(
  path: string,
  size: VolumeSize,
  { plan, whole = false }: { readonly plan: ImagePlan; readonly whole?: boolean },
): Promise<FileHandle> {
  const file = await open(path, 'wx', 0o600);
  try {
    await extend(file, imageBytes(size));
    if (whole)
      await runTied(plan, [plan.fallocate ?? 'fallocate', '--length', String(imageBytes(size)), path]);
    const inodes = ['-N', String(imageFiles(size)), '-I', String(INODE)];
    const extended = ['-E', 'lazy_itable_init=1,nodiscard'];
    const blocks = ['-b', String(BLOCK), '-m', '0'];
    const how = ['-q', '-F', '-O', FEATURES, ...blocks, ...inodes, ...extended];
    await runTied(plan, [plan.mkfs, ...how, path]);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Below it there is little to forget. */
const LITTLE = 16 * MIB;
const PATIENCE_MS = 500;

/**
 * Deletes the big files of a volume that is to go. The kernel would write what they hold to the image before it lets go of
 * it, which takes longer than all else of unmounting. Links are not followed, nor is another file system entered.
 */
export async function forgetBigFiles(point: string): Promise<void> {
  const { blocks, bfree, bsize } = await statfs(point);
  if ((blocks - bfree) * bsize < LITTLE) return;
  const command = [point, '-xdev', '-type', 'f', '-size', '+1024k', '-delete'];
  // However many files a script has left.
  const end = { timeout: PATIENCE_MS, killSignal: 'SIGKILL' } as const;
  await execa('find', command, {
    reject: false,
    stdio: 'ignore',
    extendEnv: false,
    env: SYSTEM_PATH,
    ...end,
  });
}

/** @throws what is too little here. */
async function extend(file: FileHandle, bytes: number): Promise<void> {
  try {
    await file.truncate(bytes);
  } catch (error) {
    if (errnoOf(error) !== 'EFBIG') throw error;
    throw new Error(`files of ${bytes / MIB} MiB are not allowed here (ulimit -f)`, { cause: error });
  }
}

/** Runs a program of the system that ends with this process. @throws what it said. */
export async function runTied(
  { setpriv }: Pick<ImagePlan, 'setpriv'>,
  command: readonly string[],
): Promise<void> {
  const ran = await execa(setpriv, ['--pdeathsig', 'KILL', ...command], {
    reject: false,
    stdin: 'ignore',
    extendEnv: false,
    env: { ...SYSTEM_PATH, MKE2FS_CONFIG: '/dev/null' },
  });
  if (ran.failed) throw new Error(`${command[0]}: ${ran.stderr.trim() || ran.shortMessage}`);
}
