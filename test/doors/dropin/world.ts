/** One fixed directory in which both programs are run, one after the other, and what is seen of a run. */
import { createHash } from 'node:crypto';
import { chmodSync, lutimesSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import xxhash from 'xxhash-wasm';

const { h64ToString } = await xxhash();

/** When everything that a scenario lays out was last changed; scripts of a run leave other times. */
export const LAID_OUT = 1_600_000_000;

/** Scripts of a buildpack, by name in bin/; the body of a shell script, or a whole file that begins with `#!`. */
export type Scripts = Readonly<Record<string, string>>;

/** How a buildpack is laid out. */
export interface BuildpackLayout {
  /** Named by md5 instead of xxhash. */
  readonly md5?: boolean;
  /** Below a directory of this name. */
  readonly nested?: string;
  /** Mode of the scripts, by name. */
  readonly modes?: Readonly<Record<string, number>>;
  /** In the download directory. */
  readonly downloaded?: boolean;
}

/** The directory of a scenario: app, buildpacks, cache and tmp below one root. */
export class World {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    rmSync(root, { recursive: true, force: true });
    for (const name of ['app', 'buildpacks', 'cache', 'tmp', 'out', 'home']) {
      mkdirSync(join(root, name), { recursive: true });
    }
  }

  path(name: string): string {
    return join(this.root, name);
  }

  file(name: string, content: string | Buffer, mode = 0o644): void {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, mode);
  }

  directory(name: string, mode = 0o755): void {
    mkdirSync(this.path(name), { recursive: true });
    chmodSync(this.path(name), mode);
  }

  link(name: string, target: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    symlinkSync(target, this.path(name));
  }

  remove(name: string): void {
    rmSync(this.path(name), { recursive: true, force: true });
  }

  buildpack(key: string, scripts: Scripts, layout: BuildpackLayout = {}): void {
    const hash = layout.md5 === true ? createHash('md5').update(key).digest('hex') : xxHash(key);
    const base = layout.downloaded === true ? 'downloads' : 'buildpacks';
    const directory = join(base, hash, layout.nested ?? '');
    this.directory(directory);
    for (const [name, body] of Object.entries(scripts)) {
      const text =
        body.startsWith('#!') || body.startsWith('RAW:') ? body.replace(/^RAW:/, '') : `#!/bin/sh\n${body}\n`;
      this.file(join(directory, 'bin', name), text, layout.modes?.[name] ?? 0o755);
    }
  }

  /** Directory of a buildpack that is named by xxhash. */
  buildpackDir(key: string): string {
    return join('buildpacks', xxHash(key));
  }

  /** Gives everything the same time, so that archives of two runs can be compared. */
  settle(directory = this.root): void {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) this.settle(path);
      lutimesSync(path, LAID_OUT, LAID_OUT);
    }
  }
}

/** 16 hex digits of the 64-bit xxhash. */
export function xxHash(key: string): string {
  return h64ToString(key).padStart(16, '0');
}
