/**
 * Trees that lie below the files of a workspace: read from a file system in a file that is made once, and shown with
 * overlayfs, so that a workspace takes only what is new in it.
 *
 * Below they belong to root. A mount with mapped ids shows them as a staging's own, so that one tree serves stagings that
 * run as different users; no program that every machine has can make one, so a starter does (kernel/starter.ts).
 */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { asidePath } from '../../host/process-label.ts';
import { attempt, describeFailure, writeProgram } from '../kernel/run-list.ts';
import { StartList, words } from '../kernel/start-list.ts';
import { isStarterArch } from '../kernel/starter.ts';
import { userSpaceOf } from '../kernel/user-space.ts';
import type { LaidTree, LayerImage, Layers } from '../port/volume.ts';
import { IMAGE_MOUNT, type ImagePlan, makeFileSystem, runTied } from './image.ts';
import { unmountAt } from './unmount.ts';

const STARTER = 'layer-starter';
const [AT_FDCWD, AT_EMPTY_PATH] = [-100, 0x1000] as const;
const [O_CLOEXEC, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH] = [0o2000000, 1, 4] as const;
const [F_SETFD, FD_CLOEXEC, FD_STATUS] = [2, 1, 3] as const;
/** The first descriptors that are free in a starter. */
const [FD_SPACE, FD_TREE] = [4, 5] as const;
const MOUNT_ATTR_IDMAP = 0x10_0000n;
const MNT_DETACH = 2;
const MS = { nosuid: 2, nodev: 4, noatime: 1024 } as const;
/**
 * Directories are renamed as rename(2) has it, hard links and inode numbers outlive the copy that a first write makes,
 * and nobody waits for a disk: after a crash nothing of it is wanted.
 */
const OVERLAY = 'redirect_dir=on,index=on,metacopy=off,xino=on,volatile';

interface LayersOptions {
  readonly plan: ImagePlan;
  /** State directory of this process. */
  readonly home: string;
  readonly unshare: string;
}

/** See the top of the file. */
export class MountedLayers implements Layers {
  readonly #options: LayersOptions;
  #starter: Promise<string> | undefined;

  constructor(options: LayersOptions) {
    this.#options = options;
  }

  async make({ file, at, size }: LayerImage): Promise<void> {
    const { plan } = this.#options;
    await (await makeFileSystem(file, size, { plan, whole: true })).close();
    await this.show(file, at, { writable: true });
  }

  async show(file: string, at: string, { writable }: { readonly writable: boolean }): Promise<void> {
    const { plan } = this.#options;
    const mode = writable ? IMAGE_MOUNT : `ro,${IMAGE_MOUNT}`;
    await runTied(plan, [plan.mount, '-t', 'ext4', '-o', mode, file, at]);
  }

  async close(at: string): Promise<void> {
    const { plan } = this.#options;
    await runTied(plan, [plan.mount, '-o', 'remount,ro', at]);
  }

  async drop(at: string): Promise<void> {
    await unmountAt(await realpath(at));
  }

  async lay({ below, upper, work, at, owner }: LaidTree): Promise<void> {
    const { unshare, home } = this.#options;
    const { arch } = process;
    for (const path of [below, upper, work])
      if (/[,:\\]/.test(path)) throw new Error(`${path} can't be named in a mount`);
    if (!isStarterArch(arch)) throw new Error(`not written for ${arch}`);
    const space = await userSpaceOf(unshare, owner.uid, 1);
    if (space === undefined) throw new Error('no user namespace can be made');
    try {
      const list = new StartList(arch);
      list.must('keeping its status to itself', 'fcntl', FD_STATUS, F_SETFD, FD_CLOEXEC);
      list.may('close_range', FD_SPACE, 0xffff_ffff, 0);
      list.must('open', 'openat', AT_FDCWD, `/proc/${process.pid}/fd/${space.fd}`, O_CLOEXEC, 0);
      list.must('open_tree', 'open_tree', AT_FDCWD, below, OPEN_TREE_CLONE | O_CLOEXEC);
      const attributes = words([MOUNT_ATTR_IDMAP, 0, 0, FD_SPACE]);
      const bytes = attributes.length;
      list.must('mapping ids', 'mount_setattr', FD_TREE, '', AT_EMPTY_PATH, attributes, bytes);
      list.must('move_mount', 'move_mount', FD_TREE, '', AT_FDCWD, below, MOVE_MOUNT_F_EMPTY_PATH);
      const data = `lowerdir=${below},upperdir=${upper},workdir=${work},${OVERLAY}`;
      list.must('overlay', 'mount', 'stager', at, 'overlay', MS.nosuid | MS.nodev | MS.noatime, data);
      // The overlay has its own.
      list.must('umount', 'umount2', below, MNT_DETACH);
      list.may('exit_group', 0);
      const failure = await attempt(await this.#program(arch), asidePath(join(home, 'layer-list')), list);
      if (failure !== undefined) throw new Error(describeFailure(failure));
    } finally {
      await space.close();
    }
  }

  #program(arch: Parameters<typeof writeProgram>[1]): Promise<string> {
    const path = join(this.#options.home, STARTER);
    this.#starter ??= writeProgram(path, arch).then(() => path);
    return this.#starter;
  }
}
