/** Unused user ids, which root runs scripts as. */
import { stat } from 'node:fs/promises';
import type { Owner } from '../../host/owner.ts';
import { allPids, readOrNothing } from '../kernel/processes.ts';

/** Above what kernel/ids.ts maps, and below where systemd's table of ids goes on. */
const WIDE = { start: 2_142_500_000, size: 4_800_000 } as const;
/** Where a container has some 65,536 ids: above those of a system's own users. */
const NARROW = { start: 30_000, size: 30_000 } as const;
/** Stagers that share a container begin at different places. */
const STRIDE = 97;

/** Hands out one after another. */
export class UserRange {
  readonly #start: number;
  readonly #size: number;
  #taken = 0;

  constructor({ start, size }: { readonly start: number; readonly size: number }) {
    this.#start = start;
    this.#size = size;
  }

  /** The user that {@link next} gives first. */
  get first(): Owner {
    return this.#at(0);
  }

  /** One whom no process belongs to: ending all that is a user's must not end another stager's. */
  async next(): Promise<Owner> {
    const inUse = await usersOfProcesses();
    for (;;) {
      const owner = this.#at(this.#taken);
      this.#taken += 1;
      if (!inUse.has(owner.uid)) return owner;
    }
  }

  /** Whether it could have given this user, now or in another process. */
  has({ uid, gid }: Owner): boolean {
    return uid === gid && uid >= this.#start && uid < this.#start + this.#size;
  }

  #at(index: number): Owner {
    const id = this.#start + ((process.pid * STRIDE + index) % this.#size);
    return { uid: id, gid: id };
  }
}

/** Whom the processes that can be seen belong to. */
export async function usersOfProcesses(): Promise<ReadonlySet<number>> {
  const stats = await Promise.all(
    (await allPids()).map((pid) => stat(`/proc/${pid}`).catch(() => undefined)),
  );
  return new Set(stats.flatMap((each) => (each === undefined ? [] : [each.uid])));
}

/** Undefined where this user namespace has too few ids. */
export async function userRange(): Promise<UserRange | undefined> {
  const maps = await Promise.all(['uid_map', 'gid_map'].map((name) => readOrNothing(`/proc/self/${name}`)));
  const fits = (range: { readonly start: number; readonly size: number }): boolean =>
    maps.every((map) => map !== undefined && covers(map, range));
  const range = [WIDE, NARROW].find(fits);
  return range === undefined ? undefined : new UserRange(range);
}

function covers(map: string, { start, size }: { readonly start: number; readonly size: number }): boolean {
  return map.split('\n').some((line) => {
    const [inside = Number.NaN, , count = 0] = line.trim().split(/\s+/).map(Number);
    return inside <= start && start + size <= inside + count;
  });
}
