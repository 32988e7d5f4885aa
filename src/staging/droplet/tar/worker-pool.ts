/**
 * Runs one kind of worker thread over a sequence of tasks and gives the answers back in the order of the tasks.
 * Bounded: tasks are drawn only while answers are awaited, at most a few a thread ahead of the consumer.
 */
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { type TransferListItem, Worker } from 'node:worker_threads';
import { cancelled } from '../../../words/errors.ts';

/** How a pool is made. */
export interface WorkerPoolOptions {
  /** Name of a module beside this one, without its ending. */
  readonly module: '../pack/member-worker' | '../unpack/unpack-worker';
  readonly workerData: unknown;
  /** Threads; by default one a core, at most {@link MAX_THREADS}. */
  readonly threads?: number;
  readonly signal: AbortSignal;
}

/** A task, and what of it is handed over instead of copied. */
export interface PoolTask {
  readonly message: unknown;
  readonly transfer?: readonly TransferListItem[];
}

/** More threads than this are not faster: the disk or the reader is the limit by then, and each costs memory. */
const MAX_THREADS = 8;
/**
 * Small heaps make the collector run often. What the threads allocate is almost all outside of the heap (buffers),
 * where garbage does not count: with the defaults each thread kept 85 MB of it, with these 35 MB, at equal speed.
 */
const HEAP = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 24 } as const;
/** Tasks a thread has before it: one in hand, one waiting. */
const AHEAD = 2;

interface Waiting {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Threads of one module. Always {@link WorkerPool.close} it. */
export class WorkerPool {
  readonly #workers: { readonly worker: Worker; readonly waiting: Waiting[] }[];
  readonly #signal: AbortSignal;
  readonly #onAbort = (): void => this.#fail(cancelled(this.#signal));
  #failure: { readonly error: unknown } | undefined;

  constructor(options: WorkerPoolOptions) {
    this.#signal = options.signal;
    const threads = Math.max(1, options.threads ?? Math.min(availableParallelism(), MAX_THREADS));
    // `.ts` when the sources run as they are, `.js` in the published package.
    const url = new URL(options.module + extname(import.meta.url), import.meta.url);
    this.#workers = Array.from({ length: threads }, () => this.#start(url, options.workerData));
    if (options.signal.aborted) this.#onAbort();
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** How many tasks may be running at once without one of them only waiting. */
  get window(): number {
    return this.#workers.length * AHEAD;
  }

  /** The answer to one task, from the thread that has least to do. */
  run(task: PoolTask): Promise<unknown> {
    const failure = this.#failure;
    if (failure !== undefined) return Promise.reject(failure.error);
    const free = this.#workers.reduce((a, b) => (b.waiting.length < a.waiting.length ? b : a));
    return new Promise((resolve, reject) => {
      free.waiting.push({ resolve, reject });
      free.worker.postMessage(task.message, task.transfer ?? []);
    });
  }

  /** The answers to `tasks`, in order; `run` gets each of them, by {@link WorkerPool.run}. */
  async *inOrder<T>(
    tasks: Iterable<T> | AsyncIterable<T>,
    run: (task: T) => Promise<unknown>,
  ): AsyncGenerator<unknown> {
    const underWay: Promise<unknown>[] = [];
    for await (const task of tasks) {
      const reply = run(task);
      // The failure is thrown when its turn comes; until then it must not count as unhandled.
      reply.catch(() => {});
      underWay.push(reply);
      if (underWay.length >= this.window) yield await underWay.shift();
    }
    while (underWay.length > 0) yield await underWay.shift();
  }

  /** Ends every thread; running tasks fail. */
  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#fail(new Error('the worker pool was closed'));
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }

  #start(url: URL, workerData: unknown): { worker: Worker; waiting: Waiting[] } {
    const worker = new Worker(url, { workerData, resourceLimits: HEAP });
    const waiting: Waiting[] = [];
    worker.on('message', (reply) => waiting.shift()?.resolve(reply));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', (code) => this.#fail(new Error(`a worker thread ended with ${code}`)));
    return { worker, waiting };
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { waiting } of this.#workers) {
      for (const { reject } of waiting.splice(0)) reject(this.#failure.error);
    }
  }
}
