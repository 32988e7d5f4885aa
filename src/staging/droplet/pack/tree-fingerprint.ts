/** One digest for a tree: names, kinds, modes, sizes, contents and link targets; no times. */
import { createHash } from 'node:crypto';
import { membersOf } from '../tar/members.ts';
import { type ContentRoot, type TreeEntry, walkRoots } from '../tar/tree-walk.ts';
import { type PoolTask, WorkerPool } from '../tar/worker-pool.ts';
import { memberReply } from './member-reply.ts';

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
    module: '../pack/member-worker',
    workerData: { compression: { codec: 'digest' } },
    signal: options.signal,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  const digest = createHash('sha256').update(FORMAT);
  const undos: (() => void)[] = [];
  // What can't be packed is not a part of a build cache, so it is not a part of its fingerprint.
  const atEnd = (undo: () => void): number => undos.push(undo);
  const walk = walkRoots(roots, { sourceDateEpoch: 0, onSkipped: () => {}, atEnd });
  try {
    for await (const reply of pool.inOrder(tasks(walk))) digest.update(memberReply(reply).bytes);
  } finally {
    await pool.close();
    for (const undo of undos.reverse()) undo();
  }
  return digest.digest('hex');
}

function* tasks(walk: Iterable<TreeEntry>): Generator<PoolTask> {
  for (const member of membersOf(walk)) yield { message: member };
}
