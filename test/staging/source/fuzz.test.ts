/**
 * 10,000 mutated archives: each is refused with a StagerError, or every entry is inside, whole, and what a
 * strict reader of the same bytes sees. The seed is fixed, so a failure can be run again.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, gzipSync, inflateRawSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { isStagerError } from '../../../src/words/errors.ts';
import { parseRelPath } from '../../../src/words/ids.ts';
import { rawTar, rawZip, readAll, tempDir } from './archives.ts';
import { mulberry32 } from './cfignore/cases.ts';

/** A multiple of {@link AT_ONCE}; more by hand. */
const ROUNDS = Number(process.env['STAGER_TEST_MUTATIONS'] ?? '2000');
const AT_ONCE = 20;
/** Only for what hangs: a busy machine is not a failure. */
const PATIENCE_MS = 600_000;
const LIMITS = { maxBytes: 1_000_000, maxEntries: 1000 };

const SEED_ZIP = rawZip([
  { name: 'dir/', mode: 0o40755 },
  { name: 'dir/a.txt', content: 'hello hello hello hello', mode: 0o100644 },
  { name: 'dir/link', content: 'a.txt', mode: 0o120777 },
  { name: 'raw', content: 'stored', method: 0, mode: 0o100755 },
  { name: 'b', content: Buffer.alloc(3000, 'abc') },
]);

/** Flips, overwrites, cuts, repeats or swaps a few bytes. */
function mutate(seed: Buffer, random: () => number): Buffer {
  let bytes = Buffer.from(seed);
  const at = () => Math.floor(random() * bytes.length);
  for (let count = 1 + Math.floor(random() * 4); count > 0; count -= 1) {
    const kind = random();
    if (kind < 0.5) bytes[at()] = Math.floor(random() * 256);
    else if (kind < 0.7) bytes[at()] = [0, 1, 0x2e, 0x2f, 0x7f, 0x80, 0xff][Math.floor(random() * 7)] ?? 0;
    else if (kind < 0.8) bytes = bytes.subarray(0, at());
    else if (kind < 0.9) {
      const from = at();
      bytes = Buffer.concat([
        bytes.subarray(0, from),
        bytes.subarray(from, from + at()),
        bytes.subarray(from),
      ]);
    } else {
      const from = at();
      bytes.copy(bytes, at(), from, from + 60);
    }
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}

/** Files of a zip by its central directory, read by the letter; undefined when any of it does not add up. */
function strictZip(bytes: Buffer): Map<string, Buffer> | undefined {
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06'));
  if (end < 0) return undefined;
  const count = bytes.readUInt16LE(end + 10);
  const length = bytes.readUInt32LE(end + 12);
  const start = bytes.readUInt32LE(end + 16);
  const prefix = Math.max(0, end - length - start);
  const shift = bytes.toString('latin1', start + prefix, start + prefix + 4) === 'PK\x01\x02' ? prefix : 0;
  const files = new Map<string, Buffer>();
  for (let at = start + shift, index = 0; index < count; index += 1) {
    const nameLength = bytes.readUInt16LE(at + 28);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    const content = contentOf(bytes, at, shift);
    if (content !== undefined && crc32(content) === bytes.readUInt32LE(at + 16)) files.set(name, content);
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return files;
}

/** What the entry at `at` of the central directory holds; undefined when that can't be read. */
function contentOf(bytes: Buffer, at: number, shift: number): Buffer | undefined {
  try {
    const local = bytes.readUInt32LE(at + 42) + shift;
    const data = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const packed = bytes.subarray(data, data + bytes.readUInt32LE(at + 20));
    return bytes.readUInt16LE(at + 10) === 0 ? packed : inflateRawSync(packed);
  } catch {
    return undefined;
  }
}

/** Files of a tar whose headers are plain ustar and whose checksums are right. */
function strictTar(bytes: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; at + 512 <= bytes.length; ) {
    const block = bytes.subarray(at, at + 512);
    at += 512;
    if (block.every((byte) => byte === 0)) continue;
    const text = (from: number, to: number) => block.toString('utf8', from, to).replace(/\0.*$/s, '');
    const size = Number.parseInt(text(124, 136), 8) || 0;
    const prefix = text(345, 500);
    const name = prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`;
    const type = text(156, 157);
    const linked = type === '1' ? files.get(text(157, 257).replace(/^(\.\/+)+/, '')) : undefined;
    if (linked !== undefined) files.set(name, linked);
    if (type === '' || type === '0' || type === '7') files.set(name, bytes.subarray(at, at + size));
    at += Math.ceil(size / 512) * 512;
  }
  return files;
}

interface Target {
  readonly seed: Buffer;
  readonly random: () => number;
  readonly strict: (bytes: Buffer) => Map<string, Buffer> | undefined;
  /** Packs what was mutated, in every tenth round. */
  readonly pack?: (bytes: Buffer) => Buffer;
}

async function fuzz({ seed, random, strict, pack }: Target) {
  const outer = tempDir();
  const root = join(outer, 'in');
  mkdirSync(root);
  const outcome = { read: 0, refused: 0 };
  const attack = async (round: number) => {
    const path = join(root, String(round % AT_ONCE));
    const bytes = mutate(seed, random);
    writeFileSync(path, pack !== undefined && round % 10 === 0 ? pack(bytes) : bytes);
    const got = await readAll(path, { limits: LIMITS }).catch((error: unknown) => {
      if (isStagerError(error)) return undefined;
      throw new Error(`round ${round}: not a StagerError`, { cause: error });
    });
    outcome[got === undefined ? 'refused' : 'read'] += 1;
    const want = got === undefined ? undefined : strict(bytes);
    for (const entry of got ?? []) {
      expect(parseRelPath(entry.path)).toBe(entry.path);
      if (entry.kind !== 'file') continue;
      expect(contentsOf(want, entry.path), `round ${round}: ${entry.path}`).toContain(entry.content);
    }
  };
  for (let round = 0; round < ROUNDS; round += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, lane) => attack(round + lane)));
  }
  expect(readdirSync(outer)).toEqual(['in']);
  expect(readdirSync(root)).toHaveLength(AT_ONCE);
  return outcome;
}

/** What a strict reader may have under a path; for a name that is not ASCII any more, all it has. */
function contentsOf(files: Map<string, Buffer> | undefined, path: string): (string | undefined)[] {
  const ascii = /^[\x20-\x7e]*$/.test(path);
  const found = ascii ? [files?.get(path), files?.get(`./${path}`)] : [...(files?.values() ?? [])];
  return found.map((content) => content?.toString('utf8'));
}

it(
  `${ROUNDS} mutated zips`,
  async () => {
    const outcome = await fuzz({ seed: SEED_ZIP, random: mulberry32(0xa11ce), strict: strictZip });
    expect(outcome.refused).toBeGreaterThan(ROUNDS / 5);
    expect(outcome.read).toBeGreaterThan(ROUNDS / 25);
  },
  PATIENCE_MS,
);

it(
  `${ROUNDS} mutated tars, every tenth of them gzipped`,
  async () => {
    const seed = await rawTar([
      { name: 'dir/', type: 'directory' },
      { name: 'dir/a.txt', content: 'hello' },
      { name: 'dir/link', type: 'symlink', linkname: 'a.txt' },
      { name: 'hard', type: 'link', linkname: 'dir/a.txt' },
      { name: 'b', content: Buffer.alloc(1200, 'abc') },
    ]);
    const outcome = await fuzz({ seed, random: mulberry32(0xb0b), strict: strictTar, pack: gzipSync });
    expect(outcome.refused).toBeGreaterThan(ROUNDS / 5);
    expect(outcome.read).toBeGreaterThan(ROUNDS / 25);
  },
  PATIENCE_MS,
);
