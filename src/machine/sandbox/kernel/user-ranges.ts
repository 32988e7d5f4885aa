/**
 * Ranges of host ids, each held by one staging of this machine at a time.
 *
 * A range is held by the name of a socket (unix(7), abstract): the kernel lets one process have it and takes it back
 * when that ends, however it ends. Nobody can connect to anything by it.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { Owner } from '../../host/owner.ts';

/**
 * First host id of the ranges that a root caller maps. They are in what systemd's table of ids
 * (UIDS-GIDS.md) leaves unused, above the ranges of nspawn, dynamic users and useradd's /etc/subuid.
 */
export const RANGES_START = 1_900_000_000;
export const RANGE_SIZE = 65_536;
/** So many are free up to where that table goes on (2,147,352,576). */
export const RANGES = 3_700;

/** A range that is this process's. */
export interface RangeLease {
  readonly start: number;
  release(): void;
}

/**
 * @param near ids in the range that is wanted, if it is free
 * @returns undefined when none was free among as many as were tried.
 */
export async function claimRange(near?: Owner): Promise<RangeLease | undefined> {
  const wanted = near === undefined ? -1 : Math.floor((near.uid - RANGES_START) / RANGE_SIZE);
  const first = wanted >= 0 && wanted < RANGES ? wanted : randomInt(RANGES);
  for (let tried = 0; tried < TRIES; tried += 1) {
    const index = tried === 0 ? first : randomInt(RANGES);
    const release = await hold(`\0stager.ids.${index}`);
    if (release !== undefined) return { start: RANGES_START + index * RANGE_SIZE, release };
  }
  return undefined;
}

/** One of 3,700 is free soon, unless somebody holds names on purpose. */
const TRIES = 64;

async function hold(name: string): Promise<(() => void) | undefined> {
  const server = createServer((socket) => socket.destroy());
  return await new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(name, () => {
      server.unref();
      resolve(() => void server.close());
    });
  });
}
