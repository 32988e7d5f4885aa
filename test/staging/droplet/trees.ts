/** Directories that tests pack, and what packs them. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { buildCacheContents } from '../../../src/staging/droplet/contents.ts';
import {
  type PackOptions,
  type PackSummary,
  packTarball,
} from '../../../src/staging/droplet/pack/tarball.ts';
import { type UnpackOptions, unpackTarball } from '../../../src/staging/droplet/unpack/unpack.ts';

/** A directory that goes away with the test's scope. */
export function scratch(): Disposable & { readonly path: string; at(...names: string[]): string } {
  const path = mkdtempSync(join(tmpdir(), 'stager-droplet-'));
  return {
    path,
    at: (...names) => join(path, ...names),
    [Symbol.dispose]: () => {
      // Whoever is not root can't empty a directory that it may not write.
      execFileSync('chmod', ['-R', 'u+rwX', path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Bytes that compress a little, the same for the same seed. */
export function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = 0x61 + ((state >>> 24) % 23);
  }
  return bytes;
}

const TIME = new Date('2024-05-06T07:08:09Z');

/** Writes a file with a fixed time, and the directories above it. */
export function put(path: string | Buffer, content: string | Buffer, mode = 0o644): void {
  if (typeof path === 'string') mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
  utimesSync(path, TIME, TIME);
}

/** A tree with one of everything that a droplet may hold. */
export function everything(root: string): void {
  put(join(root, 'empty'), '');
  put(join(root, 'bin', 'run'), '#!/bin/sh\nexec true\n', 0o755);
  put(join(root, 'a', 'nested', 'read-only'), 'x'.repeat(511), 0o444);
  put(join(root, 'a-b'), 'sorts before a/', 0o640);
  put(join(root, 'block'), 'y'.repeat(512));
  put(join(root, 'n'.repeat(120), 'm'.repeat(200), 'long name'), 'long');
  put(join(root, 'grüße.txt'), 'UTF-8 name');
  put(join(root, 'set-id'), 'set-user-id', 0o6755);
  put(join(root, 'big'), bytesOf(2_500_001, 1));
  put(join(root, 'just-big'), bytesOf(524_289, 2));
  put(join(root, 'not-big'), bytesOf(524_288, 3));
  mkdirSync(join(root, 'hollow', 'deeper'), { recursive: true });
  chmodSync(join(root, 'hollow'), 0o550);
  symlinkSync('../a/nested/read-only', join(root, 'bin', 'relative'));
  symlinkSync('/home/vcap/app/bin/run', join(root, 'absolute'));
  symlinkSync(`${'t'.repeat(150)}/nowhere`, join(root, 'broken'));
  linkSync(join(root, 'bin', 'run'), join(root, 'bin', 'same-as-run'));
}

/** Packs a directory into memory. */
export async function packed(
  dir: string,
  options: Partial<PackOptions> = {},
): Promise<{ readonly bytes: Buffer; readonly summary: PackSummary }> {
  const signal = new AbortController().signal;
  const tarball = packTarball(buildCacheContents(dir), { signal, ...options });
  return { bytes: await buffer(tarball.body), summary: await tarball.summary };
}

/** Unpacks bytes; chunks are odd on purpose. */
export async function unpacked(bytes: Buffer, dest: string, options: Partial<UnpackOptions> = {}) {
  const signal = new AbortController().signal;
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 70_001) chunks.push(bytes.subarray(at, at + 70_001));
  return await unpackTarball(Readable.from(chunks), dest, {
    signal,
    what: 'the droplet',
    threads: 1,
    ...options,
  });
}
