/** The port to file systems of a bounded size, in which workspaces are held to their disk limit by the kernel. */

import type { Owner } from '../../host/owner.ts';

/** What holds a workspace to its disk limit; `watch`: nothing but a watcher. */
export const BOUNDS = ['image', 'tmpfs', 'watch'] as const;
export type Bound = (typeof BOUNDS)[number];

/** Why nothing can be laid below a workspace where a sandbox has no {@link Volumes}. */
export const NO_VOLUMES = 'this kind of sandbox has no file systems';

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

/** A file system in a file that is to hold a tree. */
export interface LayerImage {
  /** Host path of the file, which is not there yet. */
  readonly file: string;
  /** Directory in a volume; what is mounted there ends with that. */
  readonly at: string;
  readonly size: Required<VolumeSize>;
}

/** A tree that is shown with what is new above it. Paths of one volume. */
export interface LaidTree {
  /** Where {@link Layers.show} or {@link Layers.make} mounted it. What root owns there, `owner` owns in `at`. */
  readonly below: string;
  /** Takes what is written. */
  readonly upper: string;
  /** Empty; for the kernel. */
  readonly work: string;
  /** Where it is seen. */
  readonly at: string;
  readonly owner: Owner;
  /** What the tree holds. It is not a part of what the workspace is held to, and is of what is reported. */
  readonly holds: Required<VolumeSize>;
}

/** Lays trees that the machine has below the files of a workspace. Whatever fails throws what the system said. */
export interface Layers {
  /** Makes an image whose blocks are all there, and mounts it to be written to. */
  make(image: LayerImage): Promise<void>;
  /** Mounts an image at `at`. */
  show(file: string, at: string, options: { readonly writable: boolean }): Promise<void>;
  /** Ends writing to what is mounted at `at`: what was written is in its file then. */
  close(at: string): Promise<void>;
  lay(tree: LaidTree): Promise<void>;
  /** Takes away what is mounted at `at`, if anything is. */
  drop(at: string): Promise<void>;
}

/** Makes volumes. */
export interface Volumes {
  /** Absent where a workspace is not a file system of its own, or the machine lacks something. */
  readonly layers?: Layers | undefined;
  /** Why there are no layers, in one phrase. */
  readonly whyNoLayers?: string | undefined;
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
