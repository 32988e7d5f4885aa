/**
 * Which user a sandbox's vcap is outside. Foreign code is 2000:2000 inside and never root of the host.
 */
import { type FileHandle, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { execa } from 'execa';
import type { Owner } from '../../host/owner.ts';
import { RANGE_SIZE, RANGES, RANGES_START } from './user-ranges.ts';

/** vcap, as in Cloud Foundry's stacks. */
export const VCAP = { uid: 2000, gid: 2000 } as const;

/** For what has no range of its own. Two of 3,700 that live at once can meet; then they share what is counted for each user. */
const processRange = (): number => RANGES_START + (process.pid % RANGES) * RANGE_SIZE;

/** One row of /proc/<pid>/uid_map as an OCI config writes it. */
export interface IdRange {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** Both kinds of ids of one user namespace. */
export interface IdMappings {
  readonly uid: readonly IdRange[];
  readonly gid: readonly IdRange[];
}

/** How ids inside become ids outside. */
export interface IdPlan {
  readonly kind: 'range' | 'dropped' | 'rootless-ranges' | 'rootless-single';
  /** For people. */
  readonly description: string;
  /** Undefined: no user namespace. */
  readonly mappings?: IdMappings;
  /** A user namespace that is made around the runtime, in which it is root; `mappings` are then of that one's ids. */
  readonly around?: IdMappings;
  /** The user namespace, if it was made before; see user-space.ts. */
  readonly space?: FileHandle | undefined;
  /** Ids inside. */
  readonly user: { readonly uid: number; readonly gid: number };
  /** Ids outside. */
  readonly owner: Owner;
}

/** The ways that this caller has, best first; which of them work is found by trying. */
export async function idPlans(): Promise<IdPlan[]> {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  if (uid === 0) return [rangePlan(processRange()), droppedPlan()];
  const ranges = await rootlessRanges(uid, gid);
  const single = (inside: { uid: number; gid: number }): IdPlan => ({
    kind: 'rootless-single',
    description: `user namespace, id ${inside.uid} inside is ${uid} outside`,
    mappings: {
      uid: [{ containerID: inside.uid, hostID: uid, size: 1 }],
      gid: [{ containerID: inside.gid, hostID: gid, size: 1 }],
    },
    user: inside,
    owner: { uid, gid },
  });
  const plans = [...(ranges === undefined ? [] : [ranges]), single(VCAP), single({ uid: 0, gid: 0 })];
  // First those in which the runtime is root of a namespace around: runc has no other way to be 2000 inside.
  return [...plans.map(inside), ...plans];
}

/**
 * The same ids with one more user namespace between: the caller is its root, subordinate ids are those from 1 on. In
 * it a runtime may do what runc 1.1 has to be able to: give its pipes to vcap.
 */
function inside(plan: IdPlan): IdPlan {
  if (plan.mappings === undefined) return plan;
  const [uids, gids] = [nest(plan.mappings.uid), nest(plan.mappings.gid)];
  return {
    ...plan,
    description: `${plan.description}, in one more around the runtime`,
    around: { uid: uids.around, gid: gids.around },
    mappings: { uid: uids.within, gid: gids.within },
  };
}

function nest(ranges: readonly IdRange[]): {
  readonly around: readonly IdRange[];
  readonly within: readonly IdRange[];
} {
  const single = ranges.filter(({ size }) => size === 1);
  const others = ranges.filter(({ size }) => size !== 1);
  let next = 0;
  const place = (range: IdRange): { readonly around: IdRange; readonly within: IdRange } => {
    const at = next;
    next += range.size;
    return { around: { ...range, containerID: at }, within: { ...range, hostID: at } };
  };
  // The caller's own id is the first, so that it is root there.
  const placed = [...single, ...others].map(place);
  return {
    around: placed.map(({ around }) => around),
    within: placed.map(({ within }) => within).toSorted((a, b) => a.containerID - b.containerID),
  };
}

/** For root: ids from 0 inside are those from `start` outside. */
export function rangePlan(start: number, space?: FileHandle): IdPlan {
  const range = [{ containerID: 0, hostID: start, size: RANGE_SIZE }];
  return {
    kind: 'range',
    description: `user namespace, ids from 0 inside are a range of its own outside, from ${RANGES_START} up`,
    mappings: { uid: range, gid: range },
    ...(space !== undefined && { space }),
    user: VCAP,
    owner: { uid: start + VCAP.uid, gid: start + VCAP.gid },
  };
}

function droppedPlan(): IdPlan {
  return { kind: 'dropped', description: 'no user namespace, runs as 2000:2000', user: VCAP, owner: VCAP };
}

/** With newuidmap: the caller is vcap, everybody else is of the caller's subordinate ids. */
async function rootlessRanges(uid: number, gid: number): Promise<IdPlan | undefined> {
  const name = userName();
  const uids = await subordinate('/etc/subuid', [name, String(uid)]);
  const gids = await subordinate('/etc/subgid', [name, String(uid)]);
  if (uids === undefined || gids === undefined) return undefined;
  const helper = await execa('newuidmap', [], { reject: false, stdin: 'ignore' });
  if (helper.exitCode === undefined) return undefined;
  return {
    kind: 'rootless-ranges',
    description: `user namespace, vcap is ${uid}, others are subordinate ids from ${uids.start}`,
    mappings: {
      uid: around(VCAP.uid, uid, uids),
      gid: around(VCAP.gid, gid, gids),
    },
    user: VCAP,
    owner: { uid, gid },
  };
}

/** A user without an entry in the password file has a number only. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}

interface Subordinate {
  readonly start: number;
  readonly count: number;
}

function around(inside: number, outside: number, range: Subordinate): IdRange[] {
  return [
    { containerID: 0, hostID: range.start, size: inside },
    { containerID: inside, hostID: outside, size: 1 },
    { containerID: inside + 1, hostID: range.start + inside, size: range.count - inside },
  ];
}

/** The first range of one of `names` that is large enough, from subuid(5). */
async function subordinate(file: string, names: readonly string[]): Promise<Subordinate | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    const [name = '', start, count] = line.split(':');
    const range = { start: Number(start), count: Number(count) };
    if (names.includes(name) && range.start > 0 && range.count > VCAP.uid + 1) return range;
  }
  return undefined;
}
