/** Worker thread: packs members as they come. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Member } from '../tar/members.ts';
import { createMemberPacker, type MemberPacking } from './member-packer.ts';

const packing: MemberPacking = workerData;
const pack = createMemberPacker(packing);

parentPort?.on('message', (member: Member) => {
  const reply = pack(member);
  const transfer = 'bytes' in reply ? [reply.bytes.buffer] : [];
  parentPort?.postMessage(
    reply,
    transfer.filter((buffer) => buffer instanceof ArrayBuffer),
  );
});
