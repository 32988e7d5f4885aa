/** What is done to a fleet, and undone. */
import { existsSync, globSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { Fleet, Member } from './fleet.ts';

export interface Fault {
  readonly name: string;
  readonly happen: (fleet: Fleet) => Promise<void>;
}

/** Milliseconds of a fault that lasts. `long`: longer than a claim lives. */
export interface Lasting {
  readonly shortMs: number;
  readonly longMs: number;
}

const LIBRARY = [
  process.env['FAKETIME_LIBRARY'] ?? '',
  ...globSync('/usr/lib/*/faketime/libfaketimeMT.so.1'),
].find((path) => path !== '' && existsSync(path));

/** Why the fault with the clock is not among them, or undefined. */
export const faketimeMissing =
  LIBRARY === undefined
    ? 'no libfaketime (Debian: apt-get install faketime, or FAKETIME_LIBRARY)'
    : undefined;

/** `disks`: each worker has one of its own. */
export function faults({ shortMs, longMs }: Lasting, disks: boolean): readonly Fault[] {
  const s3 =
    (plan: Parameters<Fleet['s3']['plan']>[0], ms: number): Fault['happen'] =>
    async (fleet) => {
      fleet.s3.plan(plan);
      await setTimeout(ms);
      fleet.s3.plan(() => ({ kind: 'none' }));
    };
  const wire =
    (how: 'cut' | 'hang', ms: number): Fault['happen'] =>
    async ({ wires }) => {
      const one = wires[Math.floor(Math.random() * wires.length)];
      one?.[how]();
      await setTimeout(ms);
      one?.heal();
    };
  return [
    { name: 'kill -9 of the server', happen: async (fleet) => await fleet.restart(fleet.server) },
    { name: 'kill -9 of a worker', happen: async (fleet) => await fleet.restart(someWorker(fleet)) },
    {
      name: 'SIGTERM to a worker',
      happen: async (fleet) => {
        const worker = someWorker(fleet);
        await fleet.kill(worker, 'SIGTERM');
        await fleet.restart(worker);
      },
    },
    { name: 'kill -9 of PostgreSQL', happen: async ({ postgres }) => await postgres.restart('kill') },
    { name: 'PostgreSQL restarted', happen: async ({ postgres }) => await postgres.restart('fast') },
    { name: 'S3 gone', happen: s3(() => ({ kind: 'reset' }), shortMs) },
    { name: 'S3 gone for long', happen: s3(() => ({ kind: 'reset' }), longMs) },
    { name: 'S3 slow', happen: s3(() => ({ kind: 'delay', ms: 300 }), shortMs) },
    {
      name: 'S3 answers 500',
      happen: s3(() => ({ kind: 'error', status: 500, code: 'InternalError' }), shortMs),
    },
    { name: 'S3 answers 503', happen: s3(() => ({ kind: 'error', status: 503, code: 'SlowDown' }), shortMs) },
    { name: 'a worker cut from the database', happen: wire('cut', shortMs) },
    { name: 'a worker cut from the database, for longer than a claim', happen: wire('cut', longMs) },
    { name: 'a worker whose database is silent', happen: wire('hang', shortMs) },
    {
      name: 'a worker whose database is silent, for longer than a claim',
      happen: wire('hang', longMs),
    },
    {
      name: 'a worker that stands still',
      happen: async (fleet) => {
        const { child } = someWorker(fleet);
        child.kill('SIGSTOP');
        await setTimeout(longMs);
        child.kill('SIGCONT');
      },
    },
    ...(disks
      ? [
          {
            name: 'the disk of a worker full',
            happen: async (fleet: Fleet) => {
              const disk = fleet.disks[Math.floor(Math.random() * fleet.disks.length)];
              disk?.fillTo(0);
              await setTimeout(shortMs);
              disk?.empty();
            },
          },
        ]
      : []),
    ...(LIBRARY === undefined
      ? []
      : [
          {
            name: 'the clock of a worker 10 minutes off',
            happen: async (fleet: Fleet) => {
              const FAKETIME = Math.random() < 0.5 ? '+600' : '-600';
              await fleet.restart(someWorker(fleet), {
                LD_PRELOAD: LIBRARY,
                FAKETIME,
                DONT_FAKE_MONOTONIC: '1',
              });
            },
          },
        ]),
  ];
}

function someWorker({ workers }: Fleet): Member {
  const worker = workers[Math.floor(Math.random() * workers.length)];
  if (worker === undefined) throw new Error('no worker');
  return worker;
}
