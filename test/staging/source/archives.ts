/** Archives as an attacker writes them: any name, mode, size and flag. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { crc32, deflateRawSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { afterEach } from 'vitest';
import type { FileEntry } from '../../../src/staging/source/entry.ts';
import { type OpenSourceOptions, openSource } from '../../../src/staging/source/open.ts';

/** One entry of {@link rawZip}. Strings of `name` are written as UTF-8. */
export interface RawZipEntry {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** System that it says it was made on, without a mode. */
  readonly host?: number;
  /** Full unix mode with type, e.g. 0o120777; absent: made on MS-DOS. */
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
  /** Lies about the size. */
  readonly declaredSize?: number;
  readonly crc?: number;
  /** Name in the local header, of the same length. */
  readonly localName?: string;
}

/** A zip with exactly these entries. */
export function rawZip(entries: readonly RawZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.isBuffer(entry.name) ? entry.name : Buffer.from(entry.name);
    const content = Buffer.from(entry.content ?? '');
    const method = entry.method ?? 8;
    const packed = method === 8 ? deflateRawSync(content) : content;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(entry.flags ?? 0x800, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(0x58210000, 6);
    common.writeUInt32LE(entry.crc ?? crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(entry.declaredSize ?? content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const localName = entry.localName === undefined ? name : Buffer.from(entry.localName);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, localName, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((entry.mode ?? 0) << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    const madeBy = Buffer.from([20, entry.mode === undefined ? (entry.host ?? 0) : 3]);
    centrals.push(Buffer.concat([Buffer.from('PK\x01\x02'), madeBy, common, tail, name]));
    locals.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length & 0xffff, 8);
  end.writeUInt16LE(entries.length & 0xffff, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, central, end]);
}

/** One entry of {@link rawTar}. */
export type RawTarEntry = Partial<Header> & { readonly name: string; readonly content?: string | Buffer };

/** A tar with exactly these entries. */
export async function rawTar(entries: readonly RawTarEntry[]): Promise<Buffer> {
  const stream = pack();
  for (const { content, ...header } of entries) {
    if (content === undefined) stream.entry(header, Buffer.alloc(0));
    else stream.entry(header, Buffer.from(content));
  }
  stream.finalize();
  return buffer(stream);
}

const made: string[] = [];
afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A directory that is gone after the test. */
export function tempDir(): string {
  const directory = mkdtempSync(join(tmpdir(), 'stager-test-'));
  made.push(directory);
  return directory;
}

/** Writes an archive beside nothing else. @returns its path. */
export function saved(name: string, bytes: Buffer): string {
  const path = join(tempDir(), name);
  writeFileSync(path, bytes);
  return path;
}

/** What a source hands out, content read. */
export type Read = FileEntry & { readonly content?: string };

/** Reads a whole source. */
export async function readAll(path: string, options: OpenSourceOptions = {}): Promise<Read[]> {
  const source = await openSource(path, options);
  const all: Read[] = [];
  for await (const { open, hostPath: _, ...entry } of source.entries({
    signal: new AbortController().signal,
  })) {
    if (open === undefined) all.push(entry);
    else all.push({ ...entry, content: (await buffer(await open())).toString('utf8') });
  }
  return all;
}

/** `path → content, link target or '/'`, the way tests like to compare. */
export function asMap(entries: readonly Read[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => [
      entry.path,
      entry.kind === 'symlink'
        ? `-> ${entry.target}`
        : entry.kind === 'directory'
          ? '/'
          : (entry.content ?? ''),
    ]),
  );
}

/** Waits for a child to exit. */
export async function exited(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}

/** Starts a program that prints one line when it is ready. */
export async function startReady(command: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}
