/**
 * Landlock: a process gives up for itself and all its children what it may do with files outside of some trees. No right
 * is needed for it, so it works inside any container whose kernel has it.
 *
 * Rules know trees that are let in and none that are kept out, so the list says what a script needs of a system.
 */
import type { StartList } from '../kernel/start-list.ts';

/** What this kernel's Landlock can do; 0: nothing. */
export type LandlockVersion = 0 | 2 | 3 | 5 | 6;

/** Best first. Version 1 can't move files between directories, which buildpacks do; 4 is about TCP alone. */
export const LANDLOCK_VERSIONS = [6, 5, 3, 2] as const;

const FS = {
  execute: 1 << 0,
  writeFile: 1 << 1,
  readFile: 1 << 2,
  readDir: 1 << 3,
  makeChar: 1 << 6,
  makeBlock: 1 << 11,
  truncate: 1 << 14,
  ioctlDev: 1 << 15,
} as const;
/** LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and _SIGNAL: neither is for whom is outside. */
const SCOPES = 3;
const RULE_PATH_BENEATH = 1;

/** How many rights each version knows, and whether it has scopes. */
const RIGHTS = { 2: 14, 3: 15, 5: 16, 6: 16 } as const;

const handled = (version: 2 | 3 | 5 | 6): number => 2 ** RIGHTS[version] - 1;

/** struct landlock_ruleset_attr as far as the version has it. */
function rulesetAttribute(version: 2 | 3 | 5 | 6): Buffer {
  const [fs, net, scoped] = [BigInt(handled(version)), 0n, BigInt(SCOPES)];
  const all = version >= 6 ? [fs, net, scoped] : [fs];
  const bytes = Buffer.alloc(all.length * 8);
  for (const [index, value] of all.entries()) bytes.writeBigUInt64LE(value, index * 8);
  return bytes;
}

/** What a script may do where. */
export interface Trees {
  /** Read, look into and execute. */
  readonly read: readonly string[];
  /** All but device nodes. */
  readonly write: readonly string[];
  /** Devices, and what its streams lead to. */
  readonly devices: readonly string[];
}

/** The descriptor that the ruleset gets, and that of a path while its rule is added: no other is open above 3. */
const [RULESET_FD, PATH_FD] = [4, 5] as const;
const AT_FDCWD = -100;
/** O_PATH|O_CLOEXEC */
const O_PATH = 0o12000000;

/** Makes the ruleset; call it while every path can still be reached. */
export function addRuleset(list: StartList, version: LandlockVersion, trees: Trees): void {
  if (version === 0) return;
  const attribute = rulesetAttribute(version);
  list.must('landlock_create_ruleset', 'landlock_create_ruleset', attribute, attribute.length, 0);
  const every = handled(version);
  const read = FS.execute | FS.readFile | FS.readDir;
  const ofFiles = FS.execute | FS.readFile | FS.writeFile | FS.truncate | FS.ioctlDev;
  const rules = [
    ...trees.read.map((path) => [path, read] as const),
    ...trees.write.map((path) => [path, every & ~(FS.makeChar | FS.makeBlock)] as const),
    ...trees.devices.map(
      (path) => [path, (read | FS.writeFile | FS.truncate | FS.ioctlDev) & every] as const,
    ),
  ];
  for (const [path, rights] of rules) {
    list.may('openat', AT_FDCWD, path, O_PATH, 0);
    // A directory takes all, a file only what files have; the kernel refuses the other kind.
    for (const allowed of new Set([rights, rights & ofFiles])) {
      const attribute = Buffer.alloc(12);
      attribute.writeBigUInt64LE(BigInt(allowed), 0);
      attribute.writeInt32LE(PATH_FD, 8);
      list.may('landlock_add_rule', RULESET_FD, RULE_PATH_BENEATH, attribute, 0);
    }
    list.may('close', PATH_FD);
  }
}

/** From here on it holds; needs no_new_privs. */
export function restrict(list: StartList, version: LandlockVersion): void {
  if (version === 0) return;
  list.must('landlock_restrict_self', 'landlock_restrict_self', RULESET_FD, 0);
  list.may('close', RULESET_FD);
}

/** Of any system: programs, libraries, their data and settings. Homes, /root, /srv, /run, /tmp and /var/log are not in it. */
const SYSTEM = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/etc',
  '/opt',
  '/var/lib',
  '/var/cache',
  '/nix',
  '/proc',
  '/sys',
] as const;

const DEVICES = [
  '/dev/null',
  '/dev/zero',
  '/dev/full',
  '/dev/random',
  '/dev/urandom',
  '/dev/tty',
  '/dev/ptmx',
  '/dev/pts',
  // What is opened through /dev/stdout is what the stream leads to.
  '/proc/self/fd/0',
  '/proc/self/fd/1',
  '/proc/self/fd/2',
] as const;

/** What every script may use of the system. */
export const SYSTEM_TREES = { read: SYSTEM, devices: DEVICES } as const;
