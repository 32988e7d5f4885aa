/** What comes back from a member worker, checked. */
import { StagerError } from '../../../words/errors.ts';
import type { MemberReply } from './member-packer.ts';

/** A member that was made or found. */
export type PackedMember = Extract<MemberReply, { bytes: Uint8Array }>;
type FailedMember = Extract<MemberReply, { failed: string }>;

/** Whether it is that the cache has no such member. */
export function isUnknown(reply: unknown): boolean {
  return typeof reply === 'object' && reply !== null && 'unknown' in reply;
}

/** A worker's answer as our own type; a failure is thrown. */
export function memberReply(reply: unknown): PackedMember {
  if (isPacked(reply)) return reply;
  if (isFailed(reply)) {
    throw new StagerError('DROPLET_PACK_FAILED', `${reply.path} ${reply.failed}`, {
      next: 'Make sure that nothing changes the workspace while it is packed, then stage again.',
      details: { path: reply.path },
    });
  }
  throw new Error('a worker thread answered with something unknown');
}

function isPacked(reply: unknown): reply is PackedMember {
  return typeof reply === 'object' && reply !== null && 'bytes' in reply && reply.bytes instanceof Uint8Array;
}

function isFailed(reply: unknown): reply is FailedMember {
  return typeof reply === 'object' && reply !== null && 'failed' in reply;
}
