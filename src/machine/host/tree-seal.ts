/**
 * A tree that never changes, and the proof of it: a file beside it with mode, size and digest of every entry as they
 * were when it was made, and a signature over what stat(2) said of them then.
 *
 * While the signature holds, nothing was written since: that costs one stat an entry. When it does not (a copy, a
 * backup that was brought back, an attack, a bad disk that was written to), every byte is read and compared, and what is
 * as it was gets a new signature. Only files that changed behind the file system's back stay unseen.
 */

import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { lstat, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { sha256OfBytes } from '../../words/digest.ts';
import { errnoOf, throwIfCancelled } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';
import { fileDigest } from './file-digest.ts';
import { Pace } from './pace.ts';
import { readHead } from './read-head.ts';
import { replaceFile } from './replace-file.ts';

/** First line of a seal; the rest are entries, one a line. */
const headSchema = z.object({
  format: z.literal('stager-tree-seal'),
  version: z.literal(1),
  /** sha256 of the lines of the entries. */
  content: z.string(),
  /** sha256 of what stat said. */
  signature: z.string(),
});
type Head = z.infer<typeof headSchema>;
/** Bytes that hold the first line. */
const HEAD_BYTES = 1024;

/** One entry of a tree: `d`irectory, `f`ile, `l`ink, or something `o`ther. */
export interface SealedEntry {
  readonly path: string;
  readonly kind: 'd' | 'f' | 'l' | 'o';
  readonly mode: number;
  readonly sizeBytes: number;
  /** Of a file its sha256, of a link its target. */
  readonly content: string;
}

/** What became of a check. */
export type TreeCheck =
  | { readonly outcome: 'intact' }
  /** There is no seal that can be read: nothing is known. */
  | { readonly outcome: 'unsealed' }
  | { readonly outcome: 'damaged'; readonly path: string; readonly why: string };

/** Reads a whole tree: its entries in path order. @throws what the system says. */
export async function readTree(root: string, signal: AbortSignal): Promise<readonly SealedEntry[]> {
  const entries: SealedEntry[] = [];
  const owner = await lstat(root);
  for (const { path, stats } of walk(root)) {
    throwIfCancelled(signal);
    entries.push(await entryOf(root, { path, stats, owner }));
  }
  return entries;
}

/** Writes the seal of `root` to `file`; returns the digest of the content, which {@link checkTree} can be held to. */
export async function sealTree(
  root: string,
  file: string,
  entries: readonly SealedEntry[],
  signal: AbortSignal,
): Promise<string> {
  const lines = entries.map(lineOf).join('');
  const content = sha256(lines);
  const head: Head = {
    format: 'stager-tree-seal',
    version: 1,
    content,
    signature: await signatureOf(root, signal),
  };
  await replaceFile(file, `${JSON.stringify(head)}\n${lines}`, { mode: 0o600, durable: false });
  return content;
}

/**
 * Whether `root` is what was sealed.
 *
 * @param content what the seal has to say, where that is known from elsewhere.
 */
export async function checkTree(
  root: string,
  file: string,
  { signal, content }: { readonly signal: AbortSignal; readonly content?: string | undefined },
): Promise<TreeCheck> {
  const top = await lstat(root).catch(() => undefined);
  if (top?.isDirectory() !== true) return damaged(root, 'it is not a directory');
  const head = headOf(await readHead(file, HEAD_BYTES));
  if (head === undefined) return { outcome: 'unsealed' };
  if (content !== undefined && head.content !== content) return { outcome: 'unsealed' };
  try {
    if ((await signatureOf(root, signal)) === head.signature) return { outcome: 'intact' };
    return await compare(root, file, { head, signal });
  } catch (error) {
    throwIfCancelled(signal);
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    const path = error instanceof Error && 'path' in error ? String(error.path) : root;
    return damaged(path, `it can't be read (${errno})`);
  }
}

/** Every byte. */
async function compare(
  root: string,
  file: string,
  { head, signal }: { readonly head: Head; readonly signal: AbortSignal },
): Promise<TreeCheck> {
  const text = await readFile(file, 'utf8');
  const sealed = text.slice(text.indexOf('\n') + 1);
  if (sha256(sealed) !== head.content) return { outcome: 'unsealed' };
  const entries = await readTree(root, signal);
  const found = entries.map(lineOf).join('');
  if (found === sealed) {
    // Where the store can't be written to, every use reads all of it again.
    await sealTree(root, file, entries, signal).catch(() => throwIfCancelled(signal));
    return { outcome: 'intact' };
  }
  return damaged(join(root, firstDifference(sealed, entries)), 'it is not what was installed');
}

/** The first path whose line is gone, or that was not there before. */
function firstDifference(sealed: string, entries: readonly SealedEntry[]): string {
  const lines = sealed.split('\n');
  for (const [index, entry] of entries.entries())
    if (`${lines[index] ?? ''}\n` !== lineOf(entry)) return pathOf(lines[index]) ?? entry.path;
  return pathOf(lines[entries.length]) ?? '';
}

const pathOf = (line: string | undefined): string | undefined =>
  z
    .tuple([z.string()])
    .rest(z.unknown())
    .safeParse(parseJson(line ?? '')).data?.[0];

async function entryOf(
  root: string,
  { path, stats, owner }: { readonly path: string; readonly stats: Stats; readonly owner: Stats },
): Promise<SealedEntry> {
  const at = join(root, path);
  // Whoever owns a tree may own another one tomorrow (a copy, a user that changed); but one has to own all of it.
  const isForeign = stats.uid !== owner.uid || stats.gid !== owner.gid;
  const about = { path, mode: (stats.mode & 0o7777) | (isForeign ? FOREIGN : 0), sizeBytes: 0 };
  if (stats.isDirectory()) return { ...about, kind: 'd', content: '' };
  if (stats.isSymbolicLink()) return { ...about, kind: 'l', content: await readlink(at) };
  if (!stats.isFile()) return { ...about, kind: 'o', content: '' };
  return { ...about, kind: 'f', sizeBytes: stats.size, content: await fileDigest(at) };
}

/** Above every mode. */
const FOREIGN = 0o1000000;

function lineOf({ path, kind, mode, sizeBytes, content }: SealedEntry): string {
  return `${JSON.stringify([path, kind, mode, sizeBytes, content])}\n`;
}

/** One stat an entry. A directory's times change with what is made in it, which the walk sees anyway. */
async function signatureOf(root: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const pace = new Pace(signal);
  let lines = '';
  for (const { path, stats } of walk(root)) {
    const times = stats.isDirectory() ? '' : ` ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
    lines += `${path}\0${stats.mode} ${stats.uid} ${stats.gid}${times}\n`;
    if (lines.length > 65_536) {
      hash.update(lines);
      lines = '';
    }
    if (pace.spent) await pace.rest();
  }
  return hash.update(lines).digest('hex');
}

interface Walked {
  readonly path: string;
  readonly stats: Stats;
}

/** In the order of bytes, each directory before what is in it. */
function* walk(root: string, below = ''): Generator<Walked, void, undefined> {
  const names = readdirSync(below === '' ? root : `${root}/${below}`);
  names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) {
    const path = below === '' ? name : `${below}/${name}`;
    const stats = lstatSync(`${root}/${path}`);
    yield { path, stats };
    if (stats.isDirectory()) yield* walk(root, path);
  }
}

function headOf(text: string): Head | undefined {
  return headSchema.safeParse(parseJson(text.split('\n', 1)[0] ?? '')).data;
}

function sha256(text: string): string {
  return sha256OfBytes(text);
}

const damaged = (path: string, why: string): TreeCheck => ({ outcome: 'damaged', path, why });
