/**
 * What V8 made of our modules, kept for the next start (Node's compile cache): compiling takes a quarter of the
 * processor's time of a small staging.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { growAsUsual } from './heap-growth.ts';

const OTHERS_WRITE = 0o022;

/**
 * Reads and keeps compiled code in `cacheHome`/compiled, from now on.
 *
 * What lies there is run without a question, so it has to be the caller's alone; else nothing is kept. A damaged entry
 * is compiled again: Node checks it against the module. Nothing is made where the cache's home is not there yet.
 */
export function keepCompiledCode(cacheHome: string): void {
  const dir = join(cacheHome, 'compiled');
  try {
    if (!isOwn(cacheHome)) return;
    mkdirSync(dir, { mode: 0o700, recursive: true });
    if (isOwn(dir)) enableCompileCache(dir);
  } catch {
    // A cache: whoever needs the directory for more says what is wrong with it.
  }
}

/** Writes what is new, when code is kept at all. For an end that runs no hook of Node's. */
export function writeCompiledCode(): void {
  growAsUsual();
  flushCompileCache();
}

function isOwn(path: string): boolean {
  const facts = lstatSync(path, { throwIfNoEntry: false });
  if (facts?.isDirectory() !== true) return false;
  return facts.uid === process.geteuid?.() && (facts.mode & OTHERS_WRITE) === 0;
}
