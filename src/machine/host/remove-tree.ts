/**
 * Removes a tree that foreign code wrote: read-only directories, sockets and pipes, links to anywhere, names
 * nested deeper than a path can be long, or hundreds of thousands of files.
 *
 * Names are bytes: paths are handled as byte strings (latin1), since a name that is not UTF-8 can't be removed by what it
 * reads as. Links are never followed: what `readdir` calls a directory is entered, all else is unlinked. A mount below
 * the tree stops the removal before it starts, since what is mounted is not ours. The callers' sandboxes have
 * ended, so nobody swaps a directory for a link meanwhile.
 */
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { Pace } from './pace.ts';

/** A path longer than this is moved up before it is entered; the kernel's limit is 4096 with the NUL. */
const MAX_PATH_BYTES = 3072;

/**
 * Removes `root` and everything in it. Missing is fine, also when another process removes it at the same time.
 *
 * @throws StagerError UNEXPECTED naming what can't be removed.
 */
export async function removeTree(root: string): Promise<void> {
  const top = lstatSync(root, { throwIfNoEntry: false });
  if (top === undefined) return;
  refuseMounts(root);
  if (!top.isDirectory()) {
    unlinkForced(bytesOf(root));
    return;
  }
  const removal = new Removal(bytesOf(root));
  const pace = new Pace(new AbortController().signal);
  for (const step of removal.steps()) {
    step();
    if (pace.spent) await pace.rest();
  }
}

/** A directory that is being emptied. */
interface Open {
  readonly path: string;
  readonly names: readonly { readonly name: string; readonly directory: boolean }[];
  next: number;
}

class Removal {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Yields one system call's worth of work at a time. */
  *steps(): Generator<() => void, void, undefined> {
    const open: Open[] = [this.#enter(this.#root)];
    for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
      const { path } = at;
      const child = at.names[at.next];
      at.next += 1;
      if (child === undefined) {
        yield () => this.#leave(path);
        open.pop();
        continue;
      }
      const childPath = `${path}/${child.name}`;
      if (!child.directory) yield () => unlinkForced(childPath);
      else open.push(this.#enter(this.#shortened(childPath)));
    }
  }

  #enter(path: string): Open {
    return { path, names: forced(path, path, () => list(path)) ?? [], next: 0 };
  }

  #leave(path: string): void {
    forced(dirname(path), path, () => rmdirSync(hostPath(path)));
  }

  /** The path, or where the directory now is when the path was too long to go deeper. */
  #shortened(path: string): string {
    if (path.length < MAX_PATH_BYTES) return path;
    // A name that nobody can have taken.
    const to = join(this.#root, `.stager-deep-${randomUUID()}`);
    forced(dirname(path), path, () => renameSync(hostPath(path), hostPath(to)));
    return to;
  }
}

function list(path: string): { name: string; directory: boolean }[] {
  return readdirSync(hostPath(path), { withFileTypes: true, encoding: 'latin1' }).map((entry) => ({
    name: entry.name,
    directory: entry.isDirectory(),
  }));
}

function unlinkForced(path: string): void {
  forced(dirname(path), path, () => unlinkSync(hostPath(path)));
}

/** Runs `call`; when permissions are in the way, opens up `directory` and runs it again. Gone is fine. */
function forced<T>(directory: string, path: string, call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return undefined;
    if (errno !== 'EACCES' && errno !== 'EPERM') throw cannotRemove(path, error);
  }
  try {
    chmodSync(hostPath(directory), 0o700);
    return call();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw cannotRemove(path, error);
  }
}

/** UTF-8 text as a byte string, and back to what system calls take. */
const bytesOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const hostPath = (bytes: string): Buffer => Buffer.from(bytes, 'latin1');

function cannotRemove(bytes: string, error: unknown): StagerError {
  const path = hostPath(bytes).toString('utf8');
  return new StagerError('UNEXPECTED', `${path} can't be removed: ${errnoOf(error) ?? String(error)}`, {
    blame: 'operator',
    next: 'Remove the directory by hand, as the user that owns the files in it.',
    details: { path, errno: errnoOf(error) },
    cause: error,
  });
}

function refuseMounts(root: string): void {
  const prefix = `${join(realpathSync(dirname(root)), basename(root))}/`;
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const encoded = line.split(' ')[4];
    const point = encoded?.replace(/\\([0-7]{3})/g, (_, octal) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    if (point === undefined || (!point.startsWith(prefix) && `${point}/` !== prefix)) continue;
    throw new StagerError('UNEXPECTED', `${root} is not removed: ${point} is mounted there`, {
      blame: 'operator',
      next: `Unmount it (umount ${point}) and run stager again.`,
      details: { path: root, mount: point },
    });
  }
}
