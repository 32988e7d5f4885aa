/** File systems of a bounded size for the workspaces of one process, in the way that was asked for. */
import { renameSync, writeFileSync } from 'node:fs';
import { access, constants, realpath, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StagerError } from '../../../words/errors.ts';
import { whyFull } from '../../host/full-disk.ts';
import { type FileSystemUse, fileSystemUse } from '../kernel/disk-usage.ts';
import type { Backing } from '../kernel/disk-watch.ts';
import { readOrNothing } from '../kernel/processes.ts';
import { firstExecutable, SYSTEM_DIRECTORIES } from '../kernel/programs.ts';
import type { Bound, LaidTree, Layers, Volume, VolumeSize, Volumes } from '../port/volume.ts';
import { forgetBigFiles, type Image, type ImagePlan, imageFiles, mountImage, runTied } from './image.ts';
import { MountedLayers } from './layers.ts';
import { MOUNTS_FILE, unmountAt } from './unmount.ts';

/** What is asked for; `auto`: an image where it is available, else a watcher. */
export type WantedBound = Bound | 'auto';

interface VolumesOptions {
  readonly wanted: WantedBound;
  /** State directory of this process. */
  readonly home: string;
}

/** Scripts rename directories; see docs/decisions/layered-workspaces.md. */
const NOT_ROOT = "an ordinary user's overlayfs can't rename directories";

/** See the top of the file. */
export class MountedVolumes implements Volumes {
  readonly #options: VolumesOptions;
  /** By the path that was asked for, which may lead through links. */
  readonly #mounted = new Map<string, { readonly point: string; readonly backing: Backing }>();
  readonly #told = new Set<string>();
  #plan: ImagePlan | undefined;
  #why: string | undefined;
  readonly #layers: MountedLayers | undefined;

  private constructor(options: VolumesOptions, found: ImagePlan | string | undefined, unshare?: string) {
    this.#options = options;
    if (typeof found === 'string') this.#why = found;
    else this.#plan = found;
    if (this.#plan?.fallocate !== undefined && unshare !== undefined)
      this.#layers = new MountedLayers({ plan: this.#plan, home: options.home, unshare });
  }

  /** Only in an image: what is laid above a tree is then bounded as all else is, and ends with it. */
  get layers(): Layers | undefined {
    const layers = this.#layers;
    if (this.bound !== 'image' || layers === undefined) return undefined;
    return {
      make: (image) => layers.make(image),
      show: (file, at, options) => layers.show(file, at, options),
      close: (at) => layers.close(at),
      drop: (at) => layers.drop(at),
      lay: async (tree) => {
        await layers.lay(tree);
        this.#count(tree);
      },
    };
  }

  get whyNoLayers(): string | undefined {
    if (this.layers !== undefined) return undefined;
    if (process.getuid?.() !== 0) return NOT_ROOT;
    if (this.bound !== 'image')
      return `workspaces are no images (${this.#why ?? `--disk-bound ${this.bound}`})`;
    return 'fallocate or unshare (util-linux) is missing';
  }

  get bound(): Bound {
    if (this.#plan === undefined) return 'watch';
    return this.#options.wanted === 'tmpfs' ? 'tmpfs' : 'image';
  }

  get why(): string | undefined {
    return this.#why;
  }

  /** Looks what is available; whether it works is seen when the first is mounted. */
  static async open(options: VolumesOptions): Promise<MountedVolumes> {
    if (options.wanted === 'watch') return new MountedVolumes(options, undefined);
    const unshare = await firstExecutable('unshare', SYSTEM_DIRECTORIES);
    return new MountedVolumes(options, await planImages(options.wanted), unshare);
  }

  async mount(at: string, size: VolumeSize): Promise<Volume | undefined> {
    if (this.#plan === undefined) return this.#nothing();
    const point = await realpath(at);
    // First told, then done: a warden undoes what is there when we are killed between the two.
    this.#tell(point, true);
    try {
      const mounted = await this.#mountOne(point, size, this.#plan);
      this.#mounted.set(at, { point, backing: mounted.backing });
      return {
        isFull: async () => (await whyFull(point)) !== undefined,
        release: async () => {
          if (!this.#mounted.delete(at)) return;
          if (mounted.image !== undefined) await forgetBigFiles(point).catch(() => undefined);
          await unmountAt(point);
          await mounted.image?.file.close();
          this.#tell(point, false);
        },
      };
    } catch (error) {
      this.#tell(point, false);
      this.#why = error instanceof Error ? error.message : String(error);
      if (this.#options.wanted === 'auto') this.#plan = undefined;
      return this.#nothing();
    }
  }

  /** Unmounts all that is left. */
  async close(): Promise<void> {
    for (const point of this.#told) await unmountAt(point);
  }

  /** Mount points of the volumes that `paths` are in. */
  pointsOf(paths: readonly string[]): readonly string[] {
    const used = [...this.#mounted].filter(([at]) => paths.some((path) => isIn(path, at)));
    return used.map(([, { point }]) => point);
  }

  /** What is behind the volume that `path` is in. */
  backingOf(path: string): Backing | undefined {
    return [...this.#mounted].find(([at]) => isIn(path, at))?.[1].backing;
  }

  /** From now on the workspace is held to what is above the tree. */
  #count({ at, upper, holds }: LaidTree): void {
    const own = [...this.#mounted].find(([place]) => isIn(at, place));
    if (own === undefined) return;
    const [place, { point, backing }] = own;
    const above = { root: upper, bytes: holds.bytes };
    this.#mounted.set(place, { point, backing: { ...backing, above } });
  }

  /** For whoever clears up after us. */
  #tell(point: string, mounted: boolean): void {
    if (mounted) this.#told.add(point);
    else this.#told.delete(point);
    const path = join(this.#options.home, MOUNTS_FILE);
    writeFileSync(`${path}.new`, [...this.#told, ''].join('\n'));
    renameSync(`${path}.new`, path);
  }

  #nothing(): undefined {
    const { wanted } = this.#options;
    if (wanted === 'auto' || wanted === 'watch') return undefined;
    throw new StagerError('SANDBOX_FAILED', `no ${wanted} can limit the size of a workspace: ${this.#why}`, {
      next: 'Leave --disk-bound at auto, or see what `stager doctor` says.',
    });
  }

  async #mountOne(
    point: string,
    size: VolumeSize,
    plan: ImagePlan,
  ): Promise<{ readonly backing: Backing; readonly image?: Image }> {
    const files = imageFiles(size);
    if (this.bound === 'tmpfs') {
      const options = `nosuid,nodev,mode=711,size=${size.bytes},nr_inodes=${files}`;
      await runTied(plan, [plan.mount, '-t', 'tmpfs', '-o', options, 'stager', point]);
      return { backing: { files, use: async () => undefined } };
    }
    const image = await mountImage(point, size, plan);
    await rmdir(join(point, 'lost+found')).catch(() => undefined);
    return { image, backing: { files, use: () => backingUse(point, image) } };
  }
}

const isIn = (path: string, at: string): boolean => path === at || path.startsWith(`${at}/`);

/** What the file system has left when all that is in the volume has reached it. */
async function backingUse(point: string, { file }: Image): Promise<FileSystemUse> {
  const [inside, outside, { blocks }] = await Promise.all([
    fileSystemUse(point),
    fileSystemUse(dirname(point)),
    file.stat(),
  ]);
  const pending = Math.max(0, inside.bytes - blocks * 512);
  return { ...outside, freeBytes: outside.freeBytes - pending };
}

const CAP_SYS_ADMIN = 1n << 21n;

/** The programs, or why images are not available. */
async function planImages(wanted: WantedBound): Promise<ImagePlan | string> {
  const status = (await readOrNothing('/proc/self/status')) ?? '';
  const capabilities = BigInt(`0x${/^CapEff:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  if (process.getuid?.() !== 0) return 'only root may mount';
  if ((capabilities & CAP_SYS_ADMIN) === 0n) return 'this root may not mount (CAP_SYS_ADMIN)';
  const [mkfs, mount, setpriv, fallocate] = await Promise.all(
    ['mkfs.ext4', 'mount', 'setpriv', 'fallocate'].map((name) => firstExecutable(name, SYSTEM_DIRECTORIES)),
  );
  if (mount === undefined || setpriv === undefined) return 'util-linux is missing';
  if (wanted === 'tmpfs') return { mkfs: '', mount, setpriv };
  if (mkfs === undefined) return 'mkfs.ext4 (e2fsprogs) is missing';
  const usable = await access('/dev/loop-control', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return usable ? { mkfs, mount, setpriv, fallocate } : '/dev/loop-control is missing or may not be opened';
}
