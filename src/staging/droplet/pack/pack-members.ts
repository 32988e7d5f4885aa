/** Packs members in order: in worker threads, or right here when there are so few that a thread would start too late. */
import { setImmediate } from 'node:timers/promises';
import { cancelled } from '../../../words/errors.ts';
import type { Member } from '../tar/members.ts';
import { WorkerPool } from '../tar/worker-pool.ts';
import { createMemberPacker, type MemberPacking, type PackTask } from './member-packer.ts';
import { recipeOf } from './member-recipe.ts';
import { isUnknown, memberReply, type PackedMember } from './member-reply.ts';

/** Who packs. */
export interface PackingThreads {
  readonly signal: AbortSignal;
  /** Worker threads; one a core by default. */
  readonly threads?: number;
}

/** A thread needs some 60 ms to start, in which this much is packed. */
const FEW = { bytes: 2 * 1024 * 1024, entries: 500 } as const;
/** When nothing is compressed. */
const FEW_TO_DIGEST = { ...FEW, bytes: 16 * 1024 * 1024 } as const;

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
  const few = packing.compression.codec === 'digest' ? FEW_TO_DIGEST : FEW;
  const { first, isAll } = lookAhead(members, few);
  if (isAll) {
    const pack = createMemberPacker(packing);
    for (const member of first) {
      if (signal.aborted) throw cancelled(signal);
      yield memberReply(await packOne(member, packing, async (task) => pack(task)));
      // Whoever waits for the loop gets a turn between two members.
      await setImmediate();
    }
    return;
  }
  const options = threads === undefined ? {} : { threads };
  const pool = new WorkerPool({ module: '../pack/member-worker', workerData: packing, signal, ...options });
  try {
    const replies = pool.inOrder(all(first, members), (member) =>
      packOne(member, packing, (message) => pool.run({ message })),
    );
    for await (const reply of replies) yield memberReply(reply);
  } finally {
    await pool.close();
  }
}

/** The first members: all there are, if they are few. */
function lookAhead(
  members: Iterator<Member>,
  few: { readonly bytes: number; readonly entries: number },
): { readonly first: readonly Member[]; readonly isAll: boolean } {
  const first: Member[] = [];
  let bytes = 0;
  let entries = 0;
  while (bytes <= few.bytes && entries <= few.entries) {
    const next = members.next();
    if (next.done === true) return { first, isAll: true };
    first.push(next.value);
    bytes += next.value.rawBytes;
    entries += next.value.kind === 'entries' ? next.value.entries.length : 0;
  }
  return { first, isAll: false };
}

/** Asks for a member by what it follows from, and hands it over only when the cache has none. */
async function packOne(
  member: Member,
  packing: MemberPacking,
  run: (task: PackTask) => Promise<unknown>,
): Promise<unknown> {
  const recipe = recipeOf(member, packing);
  if (recipe === undefined) return await run({ member });
  const known = await run({ recipe });
  return isUnknown(known) ? await run({ recipe, member }) : known;
}

function* all(first: readonly Member[], rest: Iterator<Member>): Generator<Member> {
  yield* first;
  for (let next = rest.next(); next.done !== true; next = rest.next()) yield next.value;
}
