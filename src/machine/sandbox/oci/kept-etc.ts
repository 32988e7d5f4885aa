/**
 * Copies of an /etc, made once for all stagings: making some 1,300 small files and links takes longer than the scripts of
 * a small app.
 *
 * A copy is named after all that it is made of, is complete when it has its name, and is only ever mounted read-only.
 * One is good until the next boot, since nothing of it is synced, and as long as its seal says that nobody wrote to it.
 */
import { type Dirent, lstatSync, readdirSync, type Stats, statSync } from 'node:fs';
import { readFile, rename, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sha256OfBytes } from '../../../words/digest.ts';
import { namesNow } from '../../host/names-in.ts';
import { bootId } from '../../host/process-identity.ts';
import { removeTree } from '../../host/remove-tree.ts';
import { makeDirectory } from '../child/files.ts';
import { composeEtc, type EtcOptions, keptOf } from './etc.ts';
import { unlessThere } from './mount-points.ts';

/** Below the state directory: the copies. Below that of a process: a link for each that it may be showing. */
export const ETC = 'etc';
/** In the directory of a copy: what is shown, and the seal. One rename makes both visible, whoever else makes the same. */
const TREE = 'tree';
const SEAL = 'seal';
/** Raise it when something else is written into a copy. */
const FORMAT = 2;
/** A copy that nobody has taken for so long goes when another is made. */
const UNUSED_MS = 24 * 60 * 60 * 1000;
/** What changed this short a time ago may change again without another time. */
const FRESH_MS = 2_000;

/**
 * The /etc of a sandbox that `options` ask for: one that was kept, or a new one.
 *
 * @param home directory of this process in `stateDir`, with a directory {@link ETC}
 */
export async function keptEtc(
  options: EtcOptions,
  {
    stateDir,
    home,
    now = Date.now(),
  }: { readonly stateDir: string; readonly home: string; readonly now?: number },
): Promise<string> {
  const facts = sourceOf(options);
  const name = sha256OfBytes(JSON.stringify([FORMAT, bootId(), options, facts.entries])).slice(0, 32);
  const kept = join(stateDir, ETC, name);
  // Before the look whether it is there: whoever sweeps looks for it after having taken the copy away.
  await symlink(kept, join(home, ETC, name)).catch(() => undefined);
  if (await isWhole(kept, now)) return join(kept, TREE);
  const own = join(home, ETC, `${name}.new`);
  await makeDirectory(own, 0o711);
  await composeEtc(join(own, TREE), options);
  const settled = now - facts.changedMs > FRESH_MS;
  if (!settled || JSON.stringify(sourceOf(options).entries) !== JSON.stringify(facts.entries))
    return join(own, TREE);
  if (!(await published({ stateDir, home, now }, { own, kept }))) return join(own, TREE);
  await sweepEtcs({ stateDir, home, now });
  return join(kept, TREE);
}

/** What the copy is made of. The directory itself counts: its entries do, links among them. */
function sourceOf(options: EtcOptions): Facts {
  const etc = join(options.root, 'etc');
  const { entries, changedMs } = factsOf(etc, keptOf(options));
  const top = statSync(etc, { throwIfNoEntry: false });
  const shell = existsNow(join(options.root, 'bin/bash'));
  return {
    entries: [...entries, shell ? 'bash' : 'sh', top?.mtimeMs ?? 0, top?.mode ?? 0],
    changedMs: Math.max(changedMs, top?.ctimeMs ?? 0),
  };
}

/** Whether `kept` is there now: this copy, or the same that another process has made meanwhile. */
async function published(
  { stateDir, home, now }: Sweep,
  { own, kept }: { readonly own: string; readonly kept: string },
): Promise<boolean> {
  try {
    await unlessThere(makeDirectory(join(stateDir, ETC), 0o711));
    await writeFile(join(own, SEAL), sealOf(join(own, TREE)));
    if (await moved(own, kept)) return true;
    if (await isWhole(kept, now)) return true;
    // One that was damaged; who shows it keeps it as long as we live.
    await moved(kept, join(home, ETC, `damaged.${basename(kept)}`));
    return await moved(own, kept);
  } catch {
    // It saves time and nothing else: what is in its place is somebody else's.
    return false;
  }
}

/** Whether it is there as it was made; then it is marked as used. Another user's is not ours to use. */
async function isWhole(kept: string, now: number): Promise<boolean> {
  const seal = await readFile(join(kept, SEAL), 'utf8').catch(() => undefined);
  if (seal === undefined || seal !== sealOf(join(kept, TREE))) return false;
  return await utimes(kept, now / 1000, now / 1000).then(
    () => true,
    () => false,
  );
}

/** What was written to later has another. */
const sealOf = (copy: string): string => sha256OfBytes(JSON.stringify(factsOf(copy, () => true).entries));

interface Facts {
  /** Changes with every entry below the directory, and not with the directory itself. */
  readonly entries: readonly (string | number)[];
  /** Time of the last change. */
  readonly changedMs: number;
}

/** Of a link only its name counts: one that leads elsewhere is another entry, which changes its directory's time. */
function factsOf(top: string, keep: (path: string) => boolean): Facts {
  const entries: (string | number)[] = [];
  let changedMs = 0;
  const add = (path: string, { ino, mode, size, mtimeMs, ctimeMs }: Stats): void => {
    entries.push(path, ino, mode, size, mtimeMs, ctimeMs);
    changedMs = Math.max(changedMs, ctimeMs);
  };
  const walk = (directory: string, below: string): void => {
    for (const entry of entriesOf(directory)) {
      const path = `${below}${entry.name}`;
      if (!keep(path)) continue;
      const at = join(directory, entry.name);
      const facts = entry.isSymbolicLink() ? undefined : lstatSync(at, { throwIfNoEntry: false });
      if (facts === undefined) entries.push(path);
      else add(path, facts);
      if (entry.isDirectory()) walk(at, `${path}/`);
    }
  };
  walk(top, '');
  return { entries, changedMs };
}

function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

const existsNow = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

interface Sweep {
  readonly stateDir: string;
  readonly home: string;
  readonly now: number;
}

/** Removes copies that were not taken for long and that no process in sight may be showing. */
async function sweepEtcs({ stateDir, home, now }: Sweep): Promise<void> {
  for (const name of namesNow(join(stateDir, ETC))) {
    const kept = join(stateDir, ETC, name);
    if (!(await isUnused({ stateDir, now }, { kept, name }))) continue;
    const aside = join(home, ETC, `${name}.old`);
    if (!(await moved(kept, aside))) continue;
    if ((await isUnused({ stateDir, now }, { kept: aside, name })) || !(await moved(aside, kept)))
      await removeTree(aside).catch(() => undefined);
  }
}

async function moved(from: string, to: string): Promise<boolean> {
  return await rename(from, to).then(
    () => true,
    () => false,
  );
}

async function isUnused(
  { stateDir, now }: Omit<Sweep, 'home'>,
  { kept, name }: { readonly kept: string; readonly name: string },
): Promise<boolean> {
  const facts = await stat(kept).catch(() => undefined);
  if (facts === undefined || now - facts.mtimeMs < UNUSED_MS) return false;
  return !namesNow(stateDir).some((process) => existsNow(join(stateDir, process, ETC, name)));
}
