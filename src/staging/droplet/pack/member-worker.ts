/** Worker thread: packs members as they come. */
import { parentPort, workerData } from 'node:worker_threads';
import { createMemberPacker, type MemberPacking, type PackTask } from './member-packer.ts';

const packing: MemberPacking = workerData;
const pack = createMemberPacker(packing);

parentPort?.on('message', (task: PackTask) => {
  const reply = pack(task);
  const transfer = 'bytes' in reply ? [reply.bytes.buffer] : [];
  parentPort?.postMessage(
    reply,
    transfer.filter((buffer) => buffer instanceof ArrayBuffer),
  );
});
