import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const MODULE = fileURLToPath(new URL('../../../src/machine/host/compiled-code.ts', import.meta.url));

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stager-compiled-'));
  writeFileSync(join(dir, 'big.cjs'), `exports.said = 'right'; function f() { return 1; }\n`.repeat(50));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A program that keeps its code in `dir`/cache, and says what a module of it says. */
function start(): string {
  const script = `
    const { keepCompiledCode, writeCompiledCode } = await import(${JSON.stringify(MODULE)});
    keepCompiledCode(${JSON.stringify(join(dir, 'cache'))});
    const { createRequire } = await import('node:module');
    console.log(createRequire(import.meta.url)(${JSON.stringify(join(dir, 'big.cjs'))}).said);
    writeCompiledCode();
    process.kill(process.pid, 'SIGKILL');`;
  try {
    return execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: 'pipe',
    }).toString();
  } catch (error) {
    // It ends as endProcess does: without a hook of Node's.
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  }
}

const entries = (): readonly string[] =>
  readdirSync(join(dir, 'cache/compiled'), { recursive: true, withFileTypes: true })
    .filter((it) => it.isFile())
    .map((it) => join(it.parentPath, it.name));

describe('compiled code', () => {
  it('is kept for the next start, for its owner alone', () => {
    mkdirSync(join(dir, 'cache'));
    expect(start()).toBe('right\n');
    expect(entries().length).toBeGreaterThan(0);
    const [entry = ''] = entries();
    const before = readFileSync(entry);
    expect(start()).toBe('right\n');
    expect(readFileSync(entry).equals(before)).toBe(true);
  });

  it('is not used where its entry is damaged', () => {
    mkdirSync(join(dir, 'cache'));
    start();
    for (const entry of entries()) {
      const bytes = readFileSync(entry);
      writeFileSync(entry, bytes.fill(0x5a, Math.floor(bytes.length / 2)));
    }
    expect(start()).toBe('right\n');
  });

  it('is not read where somebody else could have put it', () => {
    mkdirSync(join(dir, 'cache'));
    chmodSync(join(dir, 'cache'), 0o777);
    expect(start()).toBe('right\n');
    expect(existsSync(join(dir, 'cache/compiled'))).toBe(false);
  });

  it('makes no home of a cache that is not there', () => {
    expect(start()).toBe('right\n');
    expect(existsSync(join(dir, 'cache'))).toBe(false);
  });

  it('gives way where the place is a file', () => {
    mkdirSync(join(dir, 'cache'));
    writeFileSync(join(dir, 'cache/compiled'), '');
    expect(start()).toBe('right\n');
  });
});
