/** How a sandboxed command ended, with a separate variant for each way of ending. */
export interface ExitReport {
  readonly outcome: ExitOutcome;
  /** Milliseconds of wall time. */
  readonly durationMs: number;
  /** Largest memory use in bytes, where the kernel tells. */
  readonly peakMemoryBytes?: number;
  /** Largest use of the disk root in bytes that was seen. */
  readonly peakDiskBytes?: number;
}

/** A tagged union; switch without a default. */
export type ExitOutcome =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: string }
  /** The command's own time limit. */
  | { readonly kind: 'timed-out'; readonly limitMs: number }
  | { readonly kind: 'out-of-memory'; readonly limitBytes: number }
  | {
      readonly kind: 'out-of-disk';
      readonly limitBytes: number;
      readonly usedBytes: number;
      /** Largest directories below the disk root, largest first, at most five. */
      readonly largest: readonly { readonly path: string; readonly sizeBytes: number }[];
    }
  | {
      readonly kind: 'too-many-files';
      readonly limitFiles: number;
      readonly files: number;
      /** Directories below the disk root that hold most, fullest first, at most five. */
      readonly fullest: readonly { readonly path: string; readonly files: number }[];
    }
  /** The machine's disk had less left than it keeps for others; whoever filled it, what runs is ended. */
  | { readonly kind: 'host-disk-full'; readonly reserveBytes: number }
  /** One file grew over the limit of sizes that stager itself was started with (`ulimit -f`). */
  | { readonly kind: 'file-too-large'; readonly limitBytes: number }
  /** The program could not be started: missing, not executable, wrong format, missing interpreter. */
  | { readonly kind: 'not-started'; readonly reason: string }
  /** The abort signal fired. */
  | { readonly kind: 'cancelled' };
