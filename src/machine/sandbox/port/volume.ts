/** The port to file systems of a bounded size, in which workspaces are held to their disk limit by the kernel. */

/** What holds a workspace to its disk limit; `watch`: nothing but a watcher. */
export const BOUNDS = ['image', 'tmpfs', 'watch'] as const;
export type Bound = (typeof BOUNDS)[number];

/** What a workspace may take. */
export interface VolumeSize {
  readonly bytes: number;
  /** Files, directories and links; absent: as many as go with the bytes. */
  readonly files?: number;
}

/** A file system of a workspace's own. */
export interface Volume {
  /** Whether it has no room left for a program to work with. */
  isFull(): Promise<boolean>;
  /** Unmounts it with all that is in it. Safe to call twice. */
  release(): Promise<void>;
}

/** Makes volumes. */
export interface Volumes {
  /** As far as is known: that an image can't be mounted is seen when it is tried. */
  readonly bound: Bound;
  /** Why it is not a better one. */
  readonly why: string | undefined;
  /**
   * Mounts a new, empty file system at `at`, an existing directory.
   *
   * @returns undefined where nothing but a watcher is available.
   * @throws StagerError SANDBOX_FAILED when a bound that was asked for by name is not available.
   */
  mount(at: string, size: VolumeSize): Promise<Volume | undefined>;
}
