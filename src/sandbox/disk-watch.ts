/**
 * Holds a directory tree to a number of bytes while foreign code writes to it.
 *
 * Walking a large tree ten times a second would cost more than the build, so the file system's own counter is
 * looked at often, and the tree is walked only when what was added to the disk since the last walk, by anybody,
 * could have taken the tree over its limit; and now and then in any case, since others may free space meanwhile.
 */
import { type DiskUsage, fileSystemUse, measureDisk } from './disk-usage.ts';

/** How a tree stood when it was last walked. */
interface Baseline {
  readonly usage: DiskUsage;
  readonly diskUse: number;
}

/** What is known of trees from one command to the next; belongs to a sandbox. */
export type DiskLedger = Map<string, Baseline>;

/** What a watch needs. */
export interface DiskWatchOptions {
  readonly root: string;
  readonly limitBytes: number;
  readonly ledger: DiskLedger;
  /** Bytes in files that were deleted but are still open; asked only when the counters do not add up. */
  readonly heldOpen: () => Promise<number>;
  /** Called once, when the tree is over its limit. */
  readonly onOverrun: (usage: DiskUsage) => void;
}

const POLL_MS = 50;
const WALK_EVERY_MS = 5_000;
/** A walk is followed by a pause of this many times its own time; shorter when the limit may have been passed. */
const WALK_PAUSE = 20;
const SUSPICIOUS_PAUSE = 2;
/** Less than this much change since the last walk needs no last one. */
const NOISE_BYTES = 1024 * 1024;
/** Trees that are remembered; the eldest is forgotten. */
const LEDGER_SIZE = 256;

/** Walks one tree again and again while a command writes to it, and says once when it is above its limit. */
export class DiskWatch {
  readonly #options: DiskWatchOptions;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #busy: Promise<void> = Promise.resolve();
  #walkedAt = performance.now();
  #walkCostMs = 0;
  #peakBytes = 0;
  #overrun: DiskUsage | undefined;
  #failure: unknown;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch. */
  start(): void {
    this.#busy = this.#look().catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /**
   * Ends the watch after a last look.
   *
   * @throws what made it impossible to watch, such as the tree having been removed.
   */
  async stop(): Promise<{ readonly peakBytes: number; readonly overrun?: DiskUsage }> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#busy;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#overrun === undefined) await this.#lastLook();
    return { peakBytes: this.#peakBytes, ...(this.#overrun === undefined ? {} : { overrun: this.#overrun }) };
  }

  async #look(): Promise<void> {
    const { root, limitBytes, ledger } = this.#options;
    const known = ledger.get(root);
    const now = performance.now();
    const idle = now - this.#walkedAt;
    const added = known === undefined ? 0 : Math.max(0, (await fileSystemUse(root)) - known.diskUse);
    const suspicious = known === undefined || known.usage.totalBytes + added > limitBytes;
    const due = idle > Math.max(WALK_EVERY_MS, this.#walkCostMs * WALK_PAUSE);
    const mayWalk = idle > this.#walkCostMs * SUSPICIOUS_PAUSE;
    if (due || (suspicious && mayWalk)) await this.#walk(suspicious);
    if (this.#stop.signal.aborted || this.#overrun !== undefined) return;
    this.#timer = setTimeout(() => this.start(), POLL_MS);
  }

  async #walk(suspicious: boolean): Promise<void> {
    const { root, limitBytes, heldOpen } = this.#options;
    const begun = performance.now();
    const diskUse = await fileSystemUse(root);
    const usage = await measureDisk(root);
    this.#walkedAt = performance.now();
    this.#walkCostMs = this.#walkedAt - begun;
    this.#remember({ usage, diskUse });
    const held = suspicious && usage.totalBytes <= limitBytes ? await heldOpen() : 0;
    const totalBytes = usage.totalBytes + held;
    this.#peakBytes = Math.max(this.#peakBytes, totalBytes);
    if (totalBytes <= limitBytes || this.#overrun !== undefined) return;
    this.#overrun = { totalBytes, largest: named(usage, held) };
    this.#options.onOverrun(this.#overrun);
  }

  async #lastLook(): Promise<void> {
    const { root, ledger, limitBytes } = this.#options;
    const known = ledger.get(root);
    this.#peakBytes = Math.max(this.#peakBytes, known?.usage.totalBytes ?? 0);
    const added =
      known === undefined ? Number.POSITIVE_INFINITY : (await fileSystemUse(root)) - known.diskUse;
    if (Math.abs(added) < Math.min(NOISE_BYTES, limitBytes / 100)) return;
    await this.#walk(false);
  }

  #remember(baseline: Baseline): void {
    const { ledger, root } = this.#options;
    ledger.delete(root);
    ledger.set(root, baseline);
    const [eldest] = ledger.keys();
    if (ledger.size > LEDGER_SIZE && eldest !== undefined) ledger.delete(eldest);
  }
}

function named(usage: DiskUsage, held: number): DiskUsage['largest'] {
  const list =
    held === 0 ? usage.largest : [...usage.largest, { path: '(deleted, still open)', sizeBytes: held }];
  return [...list].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, 5);
}
