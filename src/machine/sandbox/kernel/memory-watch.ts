/**
 * Holds processes to a number of bytes of memory where no cgroup does: it adds up what they use, several times a second,
 * and says once when that is too much. What they share counts once (Pss).
 */
import { readOrNothing } from './processes.ts';

/** What a watch needs. */
export interface MemoryWatchOptions {
  readonly limitBytes: number;
  /** The processes as they are now. */
  readonly pids: () => Promise<readonly number[]>;
  readonly onOverrun: () => void;
}

const POLL_MS = 200;
/** A look is followed by a pause of at least this many times its own time. */
const PAUSE = 10;

/** See the top of the file. */
export class MemoryWatch {
  readonly #options: MemoryWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #peakBytes = 0;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
  }

  /** The most that was seen. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const begun = performance.now();
    const sizes = await Promise.all((await this.#options.pids()).map(memoryOf));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    if (this.#stopped) return;
    if (bytes > this.#options.limitBytes) {
      this.stop();
      this.#options.onOverrun();
      return;
    }
    const cost = performance.now() - begun;
    this.#timer = setTimeout(() => void this.#look(), Math.max(POLL_MS, cost * PAUSE));
  }
}

/** 0 for a process that has ended meanwhile. */
async function memoryOf(pid: number): Promise<number> {
  const rollup = (await readOrNothing(`/proc/${pid}/smaps_rollup`)) ?? '';
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
}
