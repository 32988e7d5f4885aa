/** One digest for a tree: names, kinds, modes, sizes, contents and link targets; no times. */
import { createHash } from 'node:crypto';
import { membersOf } from '../tar/members.ts';
import { type ContentRoot, type WalkOptions, walkRoots } from '../tar/tree-walk.ts';
import { packMembers } from './pack-members.ts';

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
  options: { readonly signal: AbortSignal; readonly threads?: number } & Pick<WalkOptions, 'leaveOut'>,
): Promise<string> {
  const digest = createHash('sha256').update(FORMAT);
  const undos: (() => void)[] = [];
  // What can't be packed is not a part of a build cache, so it is not a part of its fingerprint.
  const atEnd = (undo: () => void): number => undos.push(undo);
  const { leaveOut } = options;
  const skipping = leaveOut === undefined ? {} : { leaveOut };
  const walk = walkRoots(roots, { sourceDateEpoch: 0, onSkipped: () => {}, atEnd, ...skipping });
  try {
    const packed = packMembers(membersOf(walk), { compression: { codec: 'digest' } }, options);
    for await (const { bytes } of packed) digest.update(bytes);
  } finally {
    for (const undo of undos.reverse()) undo();
  }
  return digest.digest('hex');
}
