/** Paths cleaned and joined the way Go does it, and the file operations whose failures the drop-in prints. */
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { posix } from 'node:path';
import { errnoOf } from '../../../words/errors.ts';
import { pathError, withPathError } from './errno.ts';

/** Shortest equal path: no `.`, no doubled or trailing slash; the empty path is `.`. */
export function clean(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** Elements joined by `/` and cleaned; empty ones count for nothing. */
export function join(...elements: readonly string[]): string {
  const named = elements.filter((it) => it !== '');
  return named.length === 0 ? '' : clean(named.join('/'));
}

/** Makes `path` and its parents with mode 0755 less the umask. */
export function mkdirAll(path: string): void {
  const found = statIfThere(path);
  if (found?.isDirectory() === true) return;
  if (found !== undefined) throw new Error(`mkdir ${path}: not a directory`);
  const parent = posix.dirname(path);
  if (parent !== path && parent !== '.') mkdirAll(parent);
  try {
    mkdirSync(path, 0o755);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw pathError('mkdir', path, error);
  }
}

/** What is at `path`; undefined as well where that can't be told. */
function statIfThere(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** True when `path` can be stat'ed, links followed. A failure of any kind means no. */
export function statWorks(path: string): boolean {
  return statIfThere(path) !== undefined;
}

/** The whole file; undefined when there is none. Any other failure is thrown in Go's words. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw pathError(errnoOf(error) === 'EISDIR' ? 'read' : 'open', path, error);
  }
}

/**
 * Writes over `path` in place. Not aside and renamed: the harness may have made it a device, a link or a file
 * mounted by itself, and it judges by the exit code whether the file counts.
 */
export function writeInPlace(path: string, content: string): void {
  const fd = withPathError('open', path, () => openSync(path, 'w'));
  try {
    withPathError('write', path, () => writeFileSync(fd, content));
  } finally {
    closeSync(fd);
  }
}

/** Path of an executable file on PATH. */
export function findProgram(name: string, env: Readonly<Record<string, string>>): string | undefined {
  for (const directory of (env['PATH'] ?? '').split(':')) {
    const path = join(directory === '' ? '.' : directory, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path.includes('/') ? path : `./${path}`;
    } catch {
      // Not here; the next directory may have it.
    }
  }
  return undefined;
}
