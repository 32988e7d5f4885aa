/** Unpacks whatever was given as a stack to a root file system in a directory. */
import { chmod, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { removeTree } from '../host/remove-tree.ts';
import { copyDirectory } from './directory-entries.ts';
import { imageKind, unpackImage } from './image.ts';
import { StackWriter } from './stack-writer.ts';
import { unpackTar } from './tar-entries.ts';

/** What was unpacked. */
export interface UnpackedStack {
  readonly kind: 'tar' | 'directory' | 'oci' | 'docker';
  /** sha256 in hex: of the tar file, of the directory's content, or the image's own digest. */
  readonly digest: string;
  readonly entries: number;
  readonly bytes: number;
}

/**
 * Makes `<into>/rootfs`.
 *
 * @throws StagerError SOURCE_NOT_FOUND, STACK_INVALID, CANCELLED
 */
export async function unpackStack(from: string, into: string, signal: AbortSignal): Promise<UnpackedStack> {
  const stats = await stat(from).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
    throw new StagerError('SOURCE_NOT_FOUND', `${from}: no such file or directory`, {
      blame: 'operator',
      next: 'Name a root file system: a directory, a .tar, .tar.gz or .tar.zst, an OCI layout.',
      details: { path: from },
    });
  });
  const rootfs = join(into, 'rootfs');
  await makeRoot(rootfs);
  if (!stats.isDirectory()) return await unpackFile(from, into, signal);
  const kind = await imageKind(from);
  const writer = new StackWriter(rootfs);
  const digest =
    kind === undefined
      ? await copyDirectory(from, writer, signal)
      : await unpackImage(from, writer, { kind, signal });
  return { kind: kind ?? 'directory', digest, ...(await writer.finish()) };
}

/** A tar is unpacked before it can be told whether it holds a root file system or an image. */
async function unpackFile(from: string, into: string, signal: AbortSignal): Promise<UnpackedStack> {
  const rootfs = join(into, 'rootfs');
  const writer = new StackWriter(rootfs);
  const { sha256 } = await unpackTar(from, writer, signal);
  const written = await writer.finish();
  const kind = await imageKind(rootfs);
  if (kind === undefined) return { kind: 'tar', digest: sha256, ...written };
  const image = join(into, 'image');
  await rename(rootfs, image);
  await makeRoot(rootfs);
  const layers = new StackWriter(rootfs);
  const digest = await unpackImage(image, layers, { kind, signal });
  await removeTree(image);
  return { kind, digest, ...(await layers.finish()) };
}

async function makeRoot(path: string): Promise<void> {
  await mkdir(path);
  // The sandbox's root user is nobody in particular outside.
  await chmod(path, 0o755);
}
