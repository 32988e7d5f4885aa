/** Who unpacks: this thread while there is little, then worker threads. */
import { type PoolTask, WorkerPool } from '../tar/worker-pool.ts';
import { createUnpacker, type UnpackTask, type UnpackWorkerData } from './unpack-segment.ts';

/** A thread needs some 60 ms to start, in which this much is unpacked. */
const FEW_BYTES = 2 * 1024 * 1024;
/** Of pieces of a big file, for which no file has to be made. */
const FEW_BYTES_OF_PIECES = 16 * 1024 * 1024;

/** Does the tasks of one archive. Always {@link Unpackers.close} it. */
export class Unpackers {
  readonly #data: UnpackWorkerData;
  readonly #options: { readonly signal: AbortSignal; readonly threads?: number };
  readonly #here: (task: UnpackTask) => unknown;
  #pool: WorkerPool | undefined;
  /** Of what is done without threads, as a part of 1. */
  #done = 0;

  constructor(data: UnpackWorkerData, options: { readonly signal: AbortSignal; readonly threads?: number }) {
    this.#data = data;
    this.#options = options;
    this.#here = createUnpacker(data);
  }

  /** How many tasks may be running at once without one of them only waiting. */
  get window(): number {
    return this.#pool?.window ?? 0;
  }

  /** The answer to one task; its bytes are not to be used afterwards. */
  async run(task: UnpackTask): Promise<unknown> {
    if (task.kind !== 'finish')
      this.#done += task.rawBytes / (task.kind === 'piece' ? FEW_BYTES_OF_PIECES : FEW_BYTES);
    if (this.#pool === undefined && this.#done <= 1) return this.#here(task);
    this.#pool ??= new WorkerPool({
      module: '../unpack/unpack-worker',
      workerData: this.#data,
      ...this.#options,
    });
    const transfer =
      task.kind === 'finish' ? [] : [task.bytes.buffer].filter((b) => b instanceof ArrayBuffer);
    return await this.#pool.run({ message: task, transfer } satisfies PoolTask);
  }

  async close(): Promise<void> {
    await this.#pool?.close();
  }
}
