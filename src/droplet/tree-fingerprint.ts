/** One digest for a tree: names, kinds, modes, sizes, contents and link targets; no times. */
import { createHash } from 'node:crypto';
import { memberReply } from './member-reply.ts';
import { membersOf } from './members.ts';
import { type ContentRoot, walkRoots } from './tree-walk.ts';
import { type PoolTask, WorkerPool } from './worker-pool.ts';

/** Raise it when the same tree gets another digest, so that old fingerprints don't match by chance. */
const FORMAT = 'stager tree 1\n';

/**
 * The digest of `roots`: sha256 over the sha256 of every member of the tar that they would become, all times 0.
 * Every file is read, on all cores.
 *
 * @throws StagerError DROPLET_PACK_FAILED, CANCELLED.
 */
export async function fingerprintTree(
  roots: readonly ContentRoot[],
  options: { readonly signal: AbortSignal; readonly threads?: number },
): Promise<string> {
  const pool = new WorkerPool({
    module: './member-worker',
    workerData: { compression: { codec: 'digest' } },
    signal: options.signal,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  const digest = createHash('sha256').update(FORMAT);
  try {
    for await (const reply of pool.inOrder(tasks(roots))) digest.update(memberReply(reply).bytes);
  } finally {
    await pool.close();
  }
  return digest.digest('hex');
}

function* tasks(roots: readonly ContentRoot[]): Generator<PoolTask> {
  // What can't be packed is no part of a build cache, so it is no part of its fingerprint.
  const walk = walkRoots(roots, { sourceDateEpoch: 0, onSkipped: () => {} });
  for (const member of membersOf(walk)) yield { message: member };
}
