/** What programs ask the loader for, which packages are installed for it, and how servers run side by side. */
import { spawn } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pack } from 'tar-stream';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashFile } from '../../../buildpacks/kit/checksum.ts';
import { Dependencies } from '../../../buildpacks/kit/dependencies.ts';
import { neededLibraries } from '../../../buildpacks/kit/elf.ts';
import { installLibraries } from '../../../buildpacks/kit/libraries.ts';
import { createLog } from '../../../buildpacks/kit/log.ts';
import { loadManifest } from '../../../buildpacks/kit/manifest.ts';

let home: DirectoryResult;
beforeEach(async () => {
  home = await tempDir({ unsafeCleanup: true });
});
afterEach(() => home.cleanup());

/** A library that needs others: headers, one segment for all, one for the dynamic section. */
function elf(needs: readonly string[]): Buffer {
  const strings = Buffer.from(`\0${needs.join('\0')}\0`, 'latin1');
  const offsets = needs.map((name) => strings.indexOf(`\0${name}\0`) + 1);
  const [dynamicAt, stringsAt] = [64 + 2 * 56, 64 + 2 * 56 + (needs.length + 3) * 16];
  const bytes = Buffer.alloc(stringsAt + strings.length);
  bytes.write('\x7fELF\x02\x01\x01', 'latin1');
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(2, 56);
  const segment = (at: number, type: number, from: number, size: number): void => {
    bytes.writeUInt32LE(type, at);
    for (const [shift, value] of [
      [8, from],
      [16, from],
      [32, size],
    ] as const) {
      bytes.writeBigUInt64LE(BigInt(value), at + shift);
    }
  };
  segment(64, 1, 0, bytes.length);
  segment(120, 2, dynamicAt, stringsAt - dynamicAt);
  const entries = [...offsets.map((at) => [1, at]), [5, stringsAt], [10, strings.length], [0, 0]];
  for (const [index, [tag = 0, value = 0]] of entries.entries()) {
    bytes.writeBigUInt64LE(BigInt(tag), dynamicAt + index * 16);
    bytes.writeBigUInt64LE(BigInt(value), dynamicAt + index * 16 + 8);
  }
  strings.copy(bytes, stringsAt);
  return bytes;
}

/** A package with one library, as an entry of a manifest. */
async function packageOf(library: string, needs: readonly string[]): Promise<string> {
  const tar = pack();
  tar.entry({ name: `usr/lib/x86_64-linux-gnu/${library}.9` }, elf(needs));
  tar.entry({ name: `usr/lib/x86_64-linux-gnu/${library}`, type: 'symlink', linkname: `${library}.9` });
  tar.entry({ name: 'usr/share/doc/x' }, 'text');
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) if (chunk instanceof Uint8Array) chunks.push(chunk);
  await writeFile(join(home.path, `${library}.tar`), Buffer.concat(chunks));
  const sum = await hashFile(join(home.path, `${library}.tar`), 'sha256');
  return `- { name: ${library}, version: 1.0.0, uri: 'https://x.invalid/${library}.tar', sha256: ${sum}, file: ${library}.tar, libraries: [${library}] }\n`;
}

describe('shared libraries', () => {
  it('are read from a program', async () => {
    expect(await neededLibraries(process.execPath)).toContain('libc.so.6');
    await writeFile(join(home.path, 'x'), elf(['libone.so.1', 'libtwo.so.2']));
    expect(await neededLibraries(join(home.path, 'x'))).toEqual(['libone.so.1', 'libtwo.so.2']);
    for (const bytes of [Buffer.from('#!/bin/sh\n'), Buffer.alloc(0), elf(['x']).subarray(0, 70)]) {
      await writeFile(join(home.path, 'x'), bytes);
      expect(await neededLibraries(join(home.path, 'x'))).toEqual([]);
    }
  });

  it('are installed where the stack lacks them, with what they need in turn', async () => {
    const entries = [
      await packageOf('liboutside-a.so.1', ['liboutside-b.so.2', 'libc.so.6']),
      await packageOf('liboutside-b.so.2', ['liboutside-a.so.1']),
      await packageOf('liboutside-c.so.3', []),
    ];
    await writeFile(join(home.path, 'manifest.yml'), `language: x\ndependencies:\n${entries.join('')}`);
    await writeFile(join(home.path, 'program'), elf(['libc.so.6', 'liboutside-a.so.1', 'libnobody.so.1']));
    const log = createLog(() => undefined);
    const [manifest, into] = [await loadManifest(home.path), join(home.path, 'lib')];
    const dependencies = new Dependencies({
      buildpackDir: home.path,
      cacheDir: join(home.path, 'cache'),
      env: {},
      log,
    });
    const from = [join(home.path, 'program')];
    expect(await installLibraries({ manifest, dependencies, log }, { from, into })).toEqual([
      'libnobody.so.1',
    ]);
    expect((await readdir(into)).sort()).toEqual(
      ['liboutside-a.so.1', 'liboutside-b.so.2'].flatMap((name) => [name, `${name}.9`]),
    );
  });
});

describe('serve', () => {
  /** Runs two servers; each says how it ended. */
  async function serve(
    second: string,
    signal?: NodeJS.Signals,
  ): Promise<{ code: number | null; text: string }> {
    const server = (name: string, rest: string) =>
      `${name}() { exec perl -e '$| = 1; $SIG{QUIT} = sub { print "${name} finishes\\n"; exit 0 }; open(my $out, ">>", "/dev/stdout") or die $!; print $out "${name} is up\\n"; close $out; ${rest}'; }`;
    const script = [
      'set -euo pipefail',
      `. ${resolve('buildpacks/kit/serve.sh')}`,
      server('a', 'sleep 600'),
      server('b', second),
      'code=0; serve a b || code=$?; echo "code $code"; exit $code',
    ].join('\n');
    const child = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    let toSend = signal;
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (toSend !== undefined && /a is up/.test(text) && /b is up/.test(text)) {
        child.kill(toSend);
        toSend = undefined;
      }
    });
    const code = await new Promise<number | null>((done) => child.once('close', done));
    return { code, text };
  }

  it('lets all finish at SIGTERM, and passes on their last lines', async () => {
    const { code, text } = await serve('sleep 600', 'SIGTERM');
    expect(text).toContain('a finishes\n');
    expect(text).toContain('b finishes\n');
    expect(text.endsWith('code 0\n')).toBe(true);
    expect(code).toBe(0);
  });

  it('ends the others when one ends, with the code of that one', async () => {
    const { code, text } = await serve('exit 7');
    expect(text).toContain('code 7\n');
    expect(code).toBe(7);
  });
});
