/** Reads /proc/self/mountinfo (proc_pid_mountinfo(5)). */

/** One mount. */
export interface MountInfo {
  /** What of the file system is mounted. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  readonly type: string;
  readonly superOptions: readonly string[];
}

/** The mounts in the order in which they were made; lines that make no sense are left out. */
export function parseMountInfo(text: string): MountInfo[] {
  const mounts: MountInfo[] = [];
  for (const line of text.split('\n')) {
    const [left, right] = line.split(' - ', 2);
    const fields = left?.split(' ') ?? [];
    const [type, , superOptions] = right?.split(' ') ?? [];
    const [, , , root, mountPoint, options] = fields;
    if (root === undefined || mountPoint === undefined || options === undefined || type === undefined)
      continue;
    mounts.push({
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint),
      options: options.split(','),
      type,
      superOptions: superOptions?.split(',') ?? [],
    });
  }
  return mounts;
}

/** True when something is mounted below `path`, so that a read-only bind of it has to be recursive. */
export function hasMountsBelow(path: string, mounts: readonly MountInfo[]): boolean {
  return mounts.some((mount) => mount.mountPoint.startsWith(`${path}/`));
}

/** The kernel writes space, tab, newline and backslash as octal. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
