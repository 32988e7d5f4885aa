/**
 * Holds a directory tree to a number of bytes, and of files, while foreign code writes to it.
 *
 * Walking a large tree ten times a second would cost more than the build, so the file system's own counters are
 * looked at often, and the tree is walked only when what was added to the disk since the last walk, by anybody,
 * could have taken the tree over its limit; and now and then in any case, since others may free space meanwhile.
 * Files that take no block would use up the disk's inodes unseen; they are counted by the same rule.
 */
import { errnoOf } from '../../../words/errors.ts';
import { RESERVE, type Reserve } from '../../host/disk-reserve.ts';
import {
  countFiles,
  type DiskUsage,
  type FileCount,
  type FileSystemUse,
  fileSystemUse,
  measureDisk,
} from './disk-usage.ts';

/** How a tree stood when it was last walked, and the counters of its file system just before. */
interface Baseline {
  readonly usage: DiskUsage;
  readonly diskBytes: number;
  /** When files were last counted; at the first walk nothing is, and what was there does not count. */
  readonly files: { readonly total: number; readonly onDisk: number | undefined };
}

/** What went over its limit. */
export type Overrun =
  | { readonly kind: 'bytes'; readonly usage: DiskUsage }
  | { readonly kind: 'files'; readonly count: FileCount; readonly limit: number }
  /** Not the tree's own limit, but what the machine keeps for others. */
  | ({ readonly kind: 'reserve' } & Reserve);

/** Which limit a walk is made for. */
interface Suspicion {
  readonly bytes: boolean;
  readonly files: boolean;
}

/** What is known of trees from one command to the next; belongs to a sandbox. */
export type DiskLedger = Map<string, Baseline>;

/** What is behind a tree that has a file system of its own, which ends at its limit; see volume/volumes.ts. */
export interface Backing {
  /** The file system that all in it ends up on; undefined: memory holds it. */
  use(): Promise<FileSystemUse | undefined>;
  /** Files that there is room for. */
  readonly files: number;
  /** The tree is shown above another one, which is not what it is held to. */
  readonly above?: {
    /** What is the tree's own. */
    readonly root: string;
    /** What the other one holds. */
    readonly bytes: number;
  };
}

/** What a watch needs. */
export interface DiskWatchOptions {
  readonly root: string;
  readonly limitBytes: number;
  /** Absent: as many as the disk takes. */
  readonly limitFiles: number | undefined;
  readonly ledger: DiskLedger;
  /** Absent: the tree shares its file system with others. */
  readonly backing?: Backing | undefined;
  /** Bytes in files that were deleted but are still open; asked only when the counters do not add up. */
  readonly heldOpen: () => Promise<number>;
  /** Called once, when the tree is over its limit. */
  readonly onOverrun: () => void;
}

const POLL_MS = 50;
const WALK_EVERY_MS = 5_000;
/** A walk is followed by a pause of this many times its own time; shorter when the limit may have been passed. */
const WALK_PAUSE = 20;
const SUSPICIOUS_PAUSE = 2;
/** Less than this much change since the last walk needs no last one. */
const NOISE_BYTES = 1024 * 1024;
/** Trees that are remembered; the oldest is evicted. */
const LEDGER_SIZE = 256;

/** Walks one tree again and again while a command writes to it, and says once when it is above its limit. */
export class DiskWatch {
  readonly #options: DiskWatchOptions;
  readonly #stop = new AbortController();
  /** Whoever waits for the end does not wait for a walk. */
  readonly #giveUp = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #busy: Promise<void> = Promise.resolve();
  #walkedAt = performance.now();
  #walkCostMs = 0;
  #peakBytes = 0;
  #overrun: Overrun | undefined;
  #reserve: Reserve | undefined;
  #failure: unknown;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch. */
  start(): void {
    this.#busy = this.#look().catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') this.#failure = error;
    });
  }

  /**
   * Ends the watch, after a last look unless it is given up: then it is known why the command ended. A tree that is
   * gone holds nothing; who needs it next says so.
   *
   * @throws what made it impossible to watch.
   */
  async stop({ giveUp = false } = {}): Promise<{ readonly peakBytes: number; readonly overrun?: Overrun }> {
    this.#stop.abort();
    if (giveUp) this.#giveUp.abort();
    clearTimeout(this.#timer);
    await this.#busy;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#overrun === undefined && !this.#giveUp.signal.aborted) {
      await this.#lastLook().catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error;
      });
    }
    const below = this.#options.backing?.above?.bytes ?? 0;
    const peakBytes = this.#peakBytes + below;
    return { peakBytes, ...(this.#overrun === undefined ? {} : { overrun: this.#overrun }) };
  }

  /** What is measured. */
  get #ownRoot(): string {
    return this.#options.backing?.above?.root ?? this.#options.root;
  }

  async #look(): Promise<void> {
    const { root, limitBytes, ledger, backing } = this.#options;
    const known = ledger.get(root);
    const use = await fileSystemUse(root);
    if (this.#belowReserve(backing === undefined ? use : await backing.use())) return;
    if (backing !== undefined && isFull(use)) return await this.#foundFull(use);
    const idle = performance.now() - this.#walkedAt;
    const due = idle > Math.max(WALK_EVERY_MS, this.#walkCostMs * WALK_PAUSE);
    const mayWalk = idle > this.#walkCostMs * SUSPICIOUS_PAUSE;
    const added = known === undefined ? 0 : Math.max(0, use.bytes - known.diskBytes);
    const suspicion = {
      bytes: known === undefined || known.usage.totalBytes + added > limitBytes,
      files: due || this.#mayHoldTooMany(use),
    };
    if (due || ((suspicion.bytes || suspicion.files) && mayWalk)) await this.#walk(suspicion);
    if (this.#stop.signal.aborted || this.#overrun !== undefined) return;
    this.#timer = setTimeout(() => this.start(), POLL_MS);
  }

  /** Whether the tree could hold more files than it may; not known where the file system does not count. */
  #mayHoldTooMany({ files }: FileSystemUse): boolean {
    const { root, limitFiles, ledger } = this.#options;
    const known = ledger.get(root)?.files;
    if (limitFiles === undefined || files === undefined || known?.onDisk === undefined) return false;
    return known.total + Math.max(0, files - known.onDisk) > limitFiles;
  }

  async #walk(suspicion: Suspicion): Promise<void> {
    const { root, limitBytes, limitFiles = Number.POSITIVE_INFINITY, heldOpen, ledger } = this.#options;
    const begun = performance.now();
    const use = await fileSystemUse(root);
    const { signal } = this.#giveUp;
    const own = this.#ownRoot;
    const usage = await measureDisk(own, signal);
    const count = suspicion.files && Number.isFinite(limitFiles) ? await countFiles(own, signal) : undefined;
    if (signal.aborted) return;
    this.#walkedAt = performance.now();
    this.#walkCostMs = this.#walkedAt - begun;
    const known = ledger.get(root)?.files ?? { total: 0, onDisk: use.files };
    const files = count === undefined ? known : { total: count.total, onDisk: use.files };
    this.#remember({ usage, diskBytes: use.bytes, files });
    const held = suspicion.bytes && usage.totalBytes <= limitBytes ? await heldOpen() : 0;
    const totalBytes = usage.totalBytes + held;
    this.#peakBytes = Math.max(this.#peakBytes, totalBytes);
    if (this.#overrun !== undefined) return;
    if (totalBytes > limitBytes) {
      this.#overrun = { kind: 'bytes', usage: { totalBytes, largest: named(usage, held) } };
    } else if (count !== undefined && count.total > limitFiles) {
      this.#overrun = { kind: 'files', count, limit: limitFiles };
    }
    if (this.#overrun !== undefined) this.#options.onOverrun();
  }

  /** The kernel lets nobody write any more: whatever a walk says now, that is the limit. */
  async #foundFull({ freeFiles }: FileSystemUse): Promise<void> {
    const { root, limitFiles, backing, ledger, onOverrun } = this.#options;
    await this.#walk({ bytes: true, files: true });
    if (this.#overrun !== undefined) return;
    const { signal } = this.#giveUp;
    const noFiles = freeFiles === 0 && limitFiles !== undefined && backing !== undefined;
    const count = noFiles ? await countFiles(this.#ownRoot, signal) : undefined;
    if (signal.aborted) return;
    const usage = ledger.get(root)?.usage ?? { totalBytes: 0, largest: [] };
    this.#overrun =
      count === undefined || backing === undefined
        ? { kind: 'bytes', usage }
        : { kind: 'files', count, limit: backing.files };
    onOverrun();
  }

  /** Ends the command when the file system has less than its reserve left. */
  #belowReserve(use: FileSystemUse | undefined): boolean {
    if (use === undefined) return false;
    const { freeBytes, freeFiles = Number.POSITIVE_INFINITY } = use;
    // A machine that has little keeps half of what it had.
    this.#reserve ??= {
      bytes: Math.min(RESERVE.bytes, freeBytes / 2),
      files: Math.min(RESERVE.files, freeFiles / 2),
    };
    const { bytes, files } = this.#reserve;
    if (freeBytes >= bytes && freeFiles >= files) return false;
    this.#overrun = { kind: 'reserve', bytes, files };
    this.#options.onOverrun();
    return true;
  }

  async #lastLook(): Promise<void> {
    const { root, ledger, limitBytes, backing } = this.#options;
    const known = ledger.get(root);
    this.#peakBytes = Math.max(this.#peakBytes, known?.usage.totalBytes ?? 0);
    const use = await fileSystemUse(root);
    if (backing !== undefined && isFull(use)) return await this.#foundFull(use);
    const added = known === undefined ? Number.POSITIVE_INFINITY : use.bytes - known.diskBytes;
    const files = this.#mayHoldTooMany(use);
    if (!files && Math.abs(added) < Math.min(NOISE_BYTES, limitBytes / 100)) return;
    // What a file system of its own has more than before is the tree's.
    const total = (known?.usage.totalBytes ?? 0) + added;
    if (backing !== undefined && !files && total <= limitBytes) {
      this.#peakBytes = Math.max(this.#peakBytes, total);
      return;
    }
    await this.#walk({ bytes: false, files });
  }

  #remember(baseline: Baseline): void {
    const { ledger, root } = this.#options;
    ledger.delete(root);
    ledger.set(root, baseline);
    const [oldest] = ledger.keys();
    if (ledger.size > LEDGER_SIZE && oldest !== undefined) ledger.delete(oldest);
  }
}

/** Less than most programs need. */
const FULL_BYTES = 64 * 1024;

const isFull = ({ freeBytes, freeFiles }: FileSystemUse): boolean =>
  freeBytes < FULL_BYTES || freeFiles === 0;

function named(usage: DiskUsage, held: number): DiskUsage['largest'] {
  const list =
    held === 0 ? usage.largest : [...usage.largest, { path: '(deleted, still open)', sizeBytes: held }];
  return [...list].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, 5);
}
