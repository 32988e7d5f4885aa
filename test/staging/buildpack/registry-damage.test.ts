/** The list of installed buildpacks, and what is known of those that ship, after damage. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Stager } from '../../../src/compose.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { installShipped } from '../../../src/staging/buildpack/acquire/shipped.ts';

const signal = new AbortController().signal;
let dir: string;
let home: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stager-registry-damage-'));
  home = join(dir, 'home');
  shipped('one');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function shipped(text: string): void {
  const root = join(dir, 'shipped/binary');
  mkdirSync(join(root, 'bin'), { recursive: true });
  for (const name of ['detect', 'supply', 'finalize', 'release']) {
    writeFileSync(join(root, 'bin', name), `#!/bin/sh\n# ${text}\n`);
    chmodSync(join(root, 'bin', name), 0o755);
  }
  // Another edition, whatever the clock says.
  utimesSync(root, 0, text.length);
}

async function install() {
  const stager = new Stager(await loadConfig({ flags: { home, sandbox: 'none' }, machineOnly: true }));
  const buildpacks = await stager.buildpacks(signal);
  await installShipped({ from: join(dir, 'shipped'), dir: join(home, 'buildpacks'), buildpacks, signal });
  return (await buildpacks.registry.list()).find(({ name }) => name === 'binary')?.digest;
}

describe('the list of installed buildpacks', () => {
  it('with one flipped bit in a digest, a name or a flag is told by its path', async () => {
    await install();
    const path = join(home, 'buildpacks/index.json');
    const text = readFileSync(path, 'utf8');
    for (const part of ['"digest": "', '"name": "', '"enabled": ']) {
      const bytes = Buffer.from(text);
      const at = text.indexOf(part) + part.length;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(path, bytes);
      await expect(install()).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(path),
        next: expect.stringContaining('remove it'),
      });
    }
    rmSync(path);
    expect(await install()).toBeDefined();
  });
});

describe('what is known of buildpacks that ship', () => {
  it('may be lost: they are still brought up to date', async () => {
    const before = await install();
    for (const [text, damage] of [
      ['number two', ''],
      ['number three', readFileSync(join(home, 'buildpacks/shipped.json'), 'utf8').replace(/[0-9]/, 'a')],
    ] as const) {
      writeFileSync(join(home, 'buildpacks/shipped.json'), damage);
      shipped(text);
      expect(await install()).not.toBe(before);
    }
  });
});
