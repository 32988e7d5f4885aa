/** Packs members in order: in worker threads, or right here when there are so few that a thread would start too late. */
import { setImmediate } from 'node:timers/promises';
import { cancelled } from '../../../words/errors.ts';
import type { Member } from '../tar/members.ts';
import { WorkerPool } from '../tar/worker-pool.ts';
import { createMemberPacker, type MemberPacking } from './member-packer.ts';
import { memberReply, type PackedMember } from './member-reply.ts';

/** Who packs. */
export interface PackingThreads {
  readonly signal: AbortSignal;
  /** Worker threads; one a core by default. */
  readonly threads?: number;
}

/** A thread needs some 60 ms to start, in which this much is packed. */
const FEW = { bytes: 2 * 1024 * 1024, entries: 500 } as const;

/**
 * Packs `members`, drawing from them as answers are awaited.
 *
 * @throws StagerError DROPLET_PACK_FAILED, CANCELLED.
 */
export async function* packMembers(
  members: Iterator<Member>,
  packing: MemberPacking,
  { signal, threads }: PackingThreads,
): AsyncGenerator<PackedMember> {
  const { first, all } = lookAhead(members);
  if (all) {
    const pack = createMemberPacker(packing);
    for (const member of first) {
      if (signal.aborted) throw cancelled(signal);
      yield memberReply(pack(member));
      // Whoever waits for the loop gets a turn between two members.
      await setImmediate();
    }
    return;
  }
  const options = threads === undefined ? {} : { threads };
  const pool = new WorkerPool({ module: '../pack/member-worker', workerData: packing, signal, ...options });
  try {
    for await (const reply of pool.inOrder(tasks(first, members))) yield memberReply(reply);
  } finally {
    await pool.close();
  }
}

/** The first members: all there are, if they are few. */
function lookAhead(members: Iterator<Member>): { readonly first: readonly Member[]; readonly all: boolean } {
  const first: Member[] = [];
  let bytes = 0;
  let entries = 0;
  while (bytes <= FEW.bytes && entries <= FEW.entries) {
    const next = members.next();
    if (next.done === true) return { first, all: true };
    first.push(next.value);
    bytes += next.value.rawBytes;
    entries += next.value.kind === 'entries' ? next.value.entries.length : 0;
  }
  return { first, all: false };
}

function* tasks(first: readonly Member[], rest: Iterator<Member>): Generator<{ readonly message: Member }> {
  for (const message of first) yield { message };
  for (let next = rest.next(); next.done !== true; next = rest.next()) yield { message: next.value };
}
