/**
 * Which user a sandbox's vcap is outside. Foreign code is 2000:2000 inside and never root of the host.
 */
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { execa } from 'execa';
import type { Owner } from '../../host/owner.ts';

/** vcap, as in Cloud Foundry's stacks. */
export const VCAP = { uid: 2000, gid: 2000 } as const;

/**
 * First host id of the range that a root caller maps. It lies in what systemd's table of ids
 * (UIDS-GIDS.md) leaves unused, above the ranges of nspawn, dynamic users and useradd's /etc/subuid.
 */
const ROOT_RANGE_START = 1_900_000_000;
const RANGE_SIZE = 65_536;

/** One row of /proc/<pid>/uid_map as an OCI config writes it. */
export interface IdRange {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** How ids inside become ids outside. */
export interface IdPlan {
  readonly kind: 'range' | 'dropped' | 'rootless-ranges' | 'rootless-single';
  /** For people. */
  readonly description: string;
  /** Undefined: no user name space. */
  readonly mappings?: { readonly uid: readonly IdRange[]; readonly gid: readonly IdRange[] };
  /** Ids inside. */
  readonly user: { readonly uid: number; readonly gid: number };
  /** Ids outside. */
  readonly owner: Owner;
}

/** The ways that this caller has, best first; which of them work is found by trying. */
export async function idPlans(): Promise<IdPlan[]> {
  const { uid, gid } = userInfo();
  if (uid === 0) return [rangePlan(), droppedPlan()];
  const ranges = await rootlessRanges(uid, gid);
  const single = (inside: { uid: number; gid: number }): IdPlan => ({
    kind: 'rootless-single',
    description: `user name space, ${inside.uid} inside is ${uid} outside`,
    mappings: {
      uid: [{ containerID: inside.uid, hostID: uid, size: 1 }],
      gid: [{ containerID: inside.gid, hostID: gid, size: 1 }],
    },
    user: inside,
    owner: { uid, gid },
  });
  return [...(ranges === undefined ? [] : [ranges]), single(VCAP), single({ uid: 0, gid: 0 })];
}

function rangePlan(): IdPlan {
  const range = [{ containerID: 0, hostID: ROOT_RANGE_START, size: RANGE_SIZE }];
  return {
    kind: 'range',
    description: `user name space, 0 to ${RANGE_SIZE - 1} inside is ${ROOT_RANGE_START} and up outside`,
    mappings: { uid: range, gid: range },
    user: VCAP,
    owner: { uid: ROOT_RANGE_START + VCAP.uid, gid: ROOT_RANGE_START + VCAP.gid },
  };
}

function droppedPlan(): IdPlan {
  return { kind: 'dropped', description: 'no user name space, runs as 2000:2000', user: VCAP, owner: VCAP };
}

/** With newuidmap: the caller is vcap, everybody else is of the caller's subordinate ids. */
async function rootlessRanges(uid: number, gid: number): Promise<IdPlan | undefined> {
  const name = userInfo().username;
  const uids = await subordinate('/etc/subuid', [name, String(uid)]);
  const gids = await subordinate('/etc/subgid', [name, String(uid)]);
  if (uids === undefined || gids === undefined) return undefined;
  const helper = await execa('newuidmap', [], { reject: false, stdin: 'ignore' });
  if (helper.exitCode === undefined) return undefined;
  return {
    kind: 'rootless-ranges',
    description: `user name space, vcap is ${uid}, others are subordinate ids from ${uids.start}`,
    mappings: {
      uid: around(VCAP.uid, uid, uids),
      gid: around(VCAP.gid, gid, gids),
    },
    user: VCAP,
    owner: { uid, gid },
  };
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
