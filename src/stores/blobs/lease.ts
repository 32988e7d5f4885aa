/**
 * Leases: a running upload or staging tells garbage collection, in whatever process that runs, what it needs. A lease
 * is a small blob with an expiry that its holder moves on; when the holder dies, it runs out.
 */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { CLOCK_SKEW_MS } from '../../words/clock.ts';
import { isStagerError } from '../../words/errors.ts';
import { ownerName, ownerState } from './fs/owner.ts';
import type { BlobKey, BlobStore } from './port/blob-store.ts';
import { parseBlobKind } from './port/key.ts';

/** Prefix of the names of leases, among the packages. */
export const LEASE_PREFIX = 'leases/';
/** A lease that is not renewed for this long has run out. */
const LEASE_MS = 15 * 60_000;

const leaseSchema = z.strictObject({
  version: z.literal(1),
  /** When the holder began: nothing that was let go before that can be needed by it. */
  startedAtMs: z.number().int(),
  expiresAtMs: z.number().int(),
  /** What the holder does, for people. */
  purpose: z.string().max(200),
  /** `kind/name` of the blobs that must stay. */
  holds: z.array(z.string().max(1_000)).max(1_000),
  /** The process, as its machine knows it: while it lives its lease holds, whatever a clock says. */
  holder: z.string().max(500).optional(),
});

/** A lease that has not run out. */
export type Lease = z.infer<typeof leaseSchema>;

/** What to hold and why. */
export interface LeaseRequest {
  readonly purpose: string;
  readonly holds: readonly BlobKey[];
  readonly signal: AbortSignal;
}

/** Runs `step` while a lease is held; the lease ends with it. */
export async function withLease<T>(
  store: BlobStore,
  request: LeaseRequest,
  step: () => Promise<T>,
): Promise<T> {
  const key: BlobKey = { kind: 'packages', name: `${LEASE_PREFIX}${randomBytes(12).toString('hex')}` };
  let startedAtMs = Date.now();
  const renew = async (): Promise<void> => {
    const lease: Lease = {
      version: 1,
      startedAtMs,
      expiresAtMs: Date.now() + LEASE_MS,
      purpose: request.purpose.slice(0, 200),
      holds: request.holds.map(({ kind, name }) => `${kind}/${name}`),
      holder: ownerName(),
    };
    const body = Readable.from([Buffer.from(JSON.stringify(lease))], { objectMode: false });
    const info = await store.put(key, body, { contentType: 'application/json', signal: request.signal });
    // Our clock may be ahead of the store's, which dates what we store.
    startedAtMs = Math.min(startedAtMs, Math.floor(info.modifiedAtMs));
  };
  await renew();
  let renewing: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    // A renewal that fails leaves two more before the lease runs out.
    renewing = renew().catch(() => undefined);
  }, LEASE_MS / 3);
  timer.unref();
  try {
    return await step();
  } finally {
    clearInterval(timer);
    await renewing;
    // Cancelled or not, the lease is removed; if that fails, it runs out. Who cancelled does not wait for a slow store.
    const signal = AbortSignal.timeout(request.signal.aborted ? 700 : 10_000);
    await store.delete(key, { signal }).catch(() => undefined);
  }
}

/** Leases that have not run out; those that have are deleted, unless it is a dry run. */
export async function readLeases(
  store: BlobStore,
  options: { readonly signal: AbortSignal; readonly dryRun?: boolean },
): Promise<readonly Lease[]> {
  const leases: Lease[] = [];
  const { signal } = options;
  const nowMs = await store.now({ signal });
  for await (const { key, modifiedAtMs } of store.names('packages', { signal, prefix: LEASE_PREFIX })) {
    const content = await readSmall(store, key, signal);
    if (content === 'released') continue;
    const parsed = leaseSchema.safeParse(content);
    // What can't be read counts as a lease on everything until it would have run out.
    const lease: Lease = parsed.data ?? {
      version: 1,
      startedAtMs: 0,
      expiresAtMs: modifiedAtMs + LEASE_MS,
      purpose: 'unreadable',
      holds: [],
    };
    const lasts = { ...lease, startedAtMs: Math.min(lease.startedAtMs, Math.floor(modifiedAtMs)) };
    if (isHeld(lease, { modifiedAtMs, nowMs })) leases.push(lasts);
    else if (options.dryRun !== true) await store.delete(key, { signal });
  }
  return leases;
}

/** A living holder is evidence. Elsewhere the store's clock tells, with a margin for that of the holder. */
function isHeld(
  { holder = '', expiresAtMs }: Lease,
  { modifiedAtMs, nowMs }: { readonly modifiedAtMs: number; readonly nowMs: number },
): boolean {
  const state = ownerState(holder);
  if (state !== 'unknown') return state === 'alive';
  if (expiresAtMs + CLOCK_SKEW_MS > nowMs) return true;
  // A holder whose clock is behind writes expiries of the past.
  return holder !== '' && modifiedAtMs + LEASE_MS + CLOCK_SKEW_MS > nowMs;
}

/** The keys that leases hold, as `kind/name`. */
export function heldBy(leases: readonly Lease[]): ReadonlySet<string> {
  return new Set(
    leases
      .flatMap(({ holds }) => holds)
      .filter((key) => parseBlobKind(key.split('/')[0] ?? '') !== undefined),
  );
}

async function readSmall(store: BlobStore, key: BlobKey, signal: AbortSignal): Promise<unknown> {
  try {
    return JSON.parse(await text((await store.get(key, { signal })).body));
  } catch (error) {
    if (isStagerError(error, 'BLOB_NOT_FOUND')) return 'released';
    if (isStagerError(error, 'BLOB_CORRUPT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
