/**
 * One process at a time, by a file. The claim appears whole (link(2) of a file that already names its owner); one whose
 * owner died is broken, under a second claim of the same kind, so that two breakers can't remove a third one's claim.
 */
import { access, constants, link, lstat, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { Clock } from '../../words/clock.ts';
import { errnoOf, StagerError, throwIfCancelled } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';
import { pause } from '../../words/retry.ts';
import { processIdentitySchema } from './identity-schema.ts';
import { lifeOf, ownIdentity } from './process-identity.ts';
import { asidePath } from './process-label.ts';

/** Milliseconds between tries. */
const POLL_MS = 25;
/** Work under a claim takes milliseconds; a download's claim waits longer. */
const DEFAULT_WAIT_MS = 60_000;

/** How to wait. */
export interface ClaimOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly waitMs?: number;
}

/**
 * Runs `work` while holding the claim at `path`.
 *
 * @throws StagerError CONFIG_INVALID when another live process holds it for longer than `waitMs` (`details.limitMs`) or
 *   nobody can say whose it is, CANCELLED.
 */
export async function withClaim<T>(path: string, options: ClaimOptions, work: () => Promise<T>): Promise<T> {
  const giveBack = await acquire(path, options);
  try {
    return await work();
  } finally {
    await giveBack();
  }
}

async function acquire(path: string, options: ClaimOptions): Promise<() => Promise<void>> {
  await refuseOther(path);
  const mine = asidePath(path);
  const deadline = options.clock.now() + (options.waitMs ?? DEFAULT_WAIT_MS);
  try {
    await writeFile(mine, JSON.stringify(ownIdentity()), { flag: 'wx', mode: 0o644 });
    for (;;) {
      throwIfCancelled(options.signal);
      if (await tryLink(mine, path)) return () => release(path);
      await breakIfDead(path, mine);
      if (options.clock.now() > deadline) throw busy(path, options.waitMs ?? DEFAULT_WAIT_MS);
      await pause(POLL_MS, options);
    }
  } finally {
    await rm(mine, { force: true }).catch(() => undefined);
  }
}

/** A lock that can't be removed is broken when this process has ended; what was done under it has been done. */
async function release(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}

/** Nothing of ours makes a directory, a link or an unreadable file of that name, and nobody would ever give it back. */
async function refuseOther(path: string): Promise<void> {
  const facts = await lstat(path).catch(() => undefined);
  const isReadable = (): Promise<boolean> =>
    access(path, constants.R_OK).then(
      () => true,
      // It may be given back at this moment.
      (error: unknown) => errnoOf(error) === 'ENOENT',
    );
  if (facts === undefined || (facts.isFile() && (await isReadable()))) return;
  const why = facts.isFile()
    ? "can't be read, so nobody can say whose claim it is"
    : "is not a file, so it can't be used as a claim";
  throw new StagerError('CONFIG_INVALID', `${path} ${why}`, {
    next: 'Remove it, and run stager again.',
    details: { path },
  });
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function breakIfDead(path: string, mine: string): Promise<void> {
  if (!(await isDead(path))) return;
  const breaker = `${path}.break`;
  if (!(await tryLink(mine, breaker))) {
    // Breaking takes milliseconds: a breaker's claim that is old belongs to one that was killed.
    const age = await stat(breaker).then(
      (facts) => Date.now() - facts.ctimeMs,
      () => 0,
    );
    if (age > 10_000 && (await isDead(breaker))) await rm(breaker, { force: true });
    return;
  }
  try {
    if (await isDead(path)) await rm(path, { force: true });
  } finally {
    await rm(breaker, { force: true });
  }
}

async function isDead(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return false;
  const owner = processIdentitySchema.safeParse(parseJson(text));
  return !owner.success || lifeOf(owner.data) === 'dead';
}

function busy(path: string, waitMs: number): StagerError {
  return new StagerError(
    'CONFIG_INVALID',
    `${path} is held by another process for more than ${waitMs / 1000} s`,
    {
      next: `See which process the file names; end it, or wait for it. If there is none, remove ${path}.`,
      details: { path, limitMs: waitMs },
    },
  );
}
