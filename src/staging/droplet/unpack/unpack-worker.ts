/** Worker thread: unpacks segments as they come. */
import { parentPort, workerData } from 'node:worker_threads';
import { createUnpacker, type UnpackTask, type UnpackWorkerData } from './unpack-segment.ts';

const data: UnpackWorkerData = workerData;
const unpack = createUnpacker(data);

parentPort?.on('message', (task: UnpackTask) => parentPort?.postMessage(unpack(task)));
