/** A small file system in a file, which can be made as full as a test likes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the file system is made with. */
export interface DiskSize {
  readonly mebibytes: number;
  readonly inodes: number;
}

/** The file that takes the space, and the directory of those that take the inodes. */
const FILLER = '.filler';

/** See the top of the file. */
export class DiskImage {
  /** Where it is mounted. */
  readonly mount: string;
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
    this.mount = join(dir, 'disk');
  }

  /** @throws where loop devices, or mounts, can't be had: see {@link whyNoDiskImage}. */
  static make({ mebibytes, inodes }: DiskSize): DiskImage {
    const disk = new DiskImage(mkdtempSync(join(tmpdir(), 'stager-disk-image-')));
    const image = join(disk.#dir, 'image');
    writeFileSync(image, '');
    truncateSync(image, mebibytes << 20);
    // Without a journal and without blocks for root, so that what is free is what can be written.
    const options = ['-q', '-F', '-m', '0', '-O', '^has_journal', '-N', String(inodes), image];
    execFileSync('mkfs.ext4', options, { env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } });
    mkdirSync(disk.mount);
    execFileSync('mount', ['-o', 'loop', image, disk.mount], { stdio: 'pipe' });
    return disk;
  }

  /** What can be written until it is full. */
  free(): { readonly bytes: number; readonly inodes: number } {
    const { bavail, bsize, ffree } = statfsSync(this.mount);
    return { bytes: bavail * bsize, inodes: ffree };
  }

  /** Leaves so much space. */
  fillTo(bytes: number): void {
    // Blocks that lie aside take a block of the file system to be found.
    for (let round = 0; round < 4; round += 1) {
      const surplus = this.free().bytes - bytes;
      if (surplus < 4096) return;
      const path = join(this.mount, `${FILLER}-${round}`);
      // Where even that block is not there it takes what there is.
      spawnSync('fallocate', ['-l', String(surplus), path]);
    }
  }

  /** Leaves so many files that can be made. */
  fillInodesTo(inodes: number): void {
    const directory = join(this.mount, FILLER);
    mkdirSync(directory, { recursive: true });
    for (let n = this.free().inodes; n > inodes; n -= 1) writeFileSync(join(directory, String(n)), '');
  }

  /** Gives back what was filled. */
  empty(): void {
    for (const name of [FILLER, ...[0, 1, 2, 3].map((round) => `${FILLER}-${round}`)])
      rmSync(join(this.mount, name), { recursive: true, force: true });
  }

  remount(mode: 'ro' | 'rw'): void {
    execFileSync('mount', ['-o', `remount,${mode}`, this.mount]);
  }

  remove(): void {
    execFileSync('umount', ['-l', this.mount]);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Why there is no such file system here; undefined where there is one. */
export function whyNoDiskImage(): string | undefined {
  if (process.getuid?.() !== 0) return 'the tests do not run as root';
  if (spawnSync('mkfs.ext4', ['-V'], { env: { PATH: '/usr/sbin:/sbin:/usr/bin' } }).error !== undefined)
    return 'there is no mkfs.ext4';
  try {
    DiskImage.make({ mebibytes: 1, inodes: 16 }).remove();
    return undefined;
  } catch (error) {
    return `no loop device can be mounted: ${String(error).split('\n')[0]}`;
  }
}
