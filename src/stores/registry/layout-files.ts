/**
 * The files of an OCI layout, which a person may have copied, mounted or damaged: what is read is what its digest says,
 * and what can't be used is told by its path.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileDigest } from '../../machine/host/file-digest.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { type Descriptor, digestOf, invalidImage, MAX_CONFIG_BYTES } from './documents.ts';

export const WRITE_AGAIN = 'Write the layout again, or name another one.';

/** Below the directory of a layout. */
export const blobPath = (digest: string): string => join('blobs', ...digest.split(':'));

/** A small file of a layout. @throws StagerError IMAGE_INVALID. */
export async function smallFile(directory: string, name: string): Promise<Buffer> {
  const path = join(directory, name);
  const { size } = await demandFile(directory, path);
  if (size > MAX_CONFIG_BYTES)
    throw invalidImage(directory, `${path} has ${size} bytes`, 'Use another image.');
  return await readFile(path).catch((error: unknown) => {
    throw unreadable(directory, path, error);
  });
}

/** A document of a layout by its digest. @throws StagerError IMAGE_INVALID. */
export async function checkedBlob(directory: string, digest: string): Promise<Buffer> {
  const bytes = await smallFile(directory, blobPath(digest));
  const actual = digestOf(bytes);
  if (actual !== digest) throw damaged(directory, digest, actual);
  return bytes;
}

/**
 * A blob's bytes. The stream fails with IMAGE_INVALID at its end when they are not what the digest says, so what is made
 * of it must not be used before that.
 *
 * @throws StagerError IMAGE_INVALID when there is no such file.
 */
export async function openLayoutBlob(
  directory: string,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
): Promise<Readable> {
  const path = join(directory, blobPath(digest));
  const facts = await demandFile(directory, path);
  if (facts.size !== size) throw damaged(directory, digest, `${facts.size} bytes, not ${size}`);
  return Readable.from(verified(directory, digest), { objectMode: false });
}

async function* verified(directory: string, digest: string): AsyncGenerator<Buffer> {
  const path = join(directory, blobPath(digest));
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) {
      const part = Buffer.from(chunk);
      hash.update(part);
      yield part;
    }
  } catch (error) {
    throw unreadable(directory, path, error);
  }
  const actual = `sha256:${hash.digest('hex')}`;
  if (actual !== digest) throw damaged(directory, digest, actual);
}

/** Whether a blob is there whole, so that it need not be written. What is in its place and can't be replaced is an error. */
export async function isBlobThere(
  directory: string,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
): Promise<boolean> {
  const path = join(directory, blobPath(digest));
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isDirectory() === true && !(await lstat(path)).isSymbolicLink())
    throw inTheWay(path, 'is a directory');
  if (facts?.isFile() !== true || facts.size !== size) return false;
  // What can't be read is written again.
  return `sha256:${await fileDigest(path).catch(() => '')}` === digest;
}

/** CONFIG_INVALID: a layout can't be written because of what is there. */
export function inTheWay(path: string, why: string, cause?: unknown): StagerError {
  return new StagerError('CONFIG_INVALID', `the OCI layout can't be written: ${path} ${why}`, {
    next: `Remove ${path} or give access to it, or name another directory; then run the command again.`,
    details: { path },
    cause,
  });
}

/** How the system's refusal reads after a path. */
export function refusal(error: unknown): string {
  const errno = errnoOf(error);
  if (errno === 'ENOENT') return 'is missing, or a link that leads nowhere';
  if (errno === 'ELOOP') return 'is a link that leads nowhere (ELOOP)';
  if (errno === 'EISDIR') return 'is a directory';
  if (errno === 'ENOTDIR' || errno === 'EEXIST') return 'is not a directory';
  return `can't be read or written (${errno ?? String(error)})`;
}

async function demandFile(directory: string, path: string) {
  const facts = await stat(path).catch((error: unknown) => {
    throw unreadable(directory, path, error);
  });
  if (!facts.isFile()) throw invalidImage(directory, `${path} is not a file`, WRITE_AGAIN);
  return facts;
}

const damaged = (directory: string, digest: string, actual: string): StagerError =>
  invalidImage(directory, `${join(directory, blobPath(digest))} is damaged: it is ${actual}`, WRITE_AGAIN);

const unreadable = (directory: string, path: string, error: unknown): unknown =>
  errnoOf(error) === undefined
    ? error
    : invalidImage(directory, `${path} ${refusal(error)}`, WRITE_AGAIN, error);
