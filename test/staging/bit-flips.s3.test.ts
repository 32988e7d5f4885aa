/**
 * Bits that flip while a client reads, in a directory and on the way from S3: what comes out is right, or a clear error
 * with a place and a next step; and when it is over, nothing is worse than before.
 */
import { closeSync, globSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asStagerError } from '../../src/words/error-report.ts';
import { type Command, makeRig, perform, restore } from '../mutations/rig.ts';
import { type OddProxy, startOddProxy } from '../support/odd-proxy.ts';
import { type S3Server, startS3Server, useTestCredentials } from '../support/s3-server.ts';

const KINDS = ['packages', 'resources', 'droplets', 'buildpack_cache'] as const;
const COMMANDS = ['stage', 'reuse', 'run', 'package', 'verify'] as const satisfies readonly Command[];
/** What is read by which; `npm run test:s3-ways` takes all. */
const READS = new Set([
  'package packages',
  'package resources',
  'run droplets',
  'reuse droplets',
  'stage buildpack_cache',
]);
type Rig = Awaited<ReturnType<typeof makeRig>>;

/** What may come out while bits flip. */
async function judge({ place, expected }: Rig, command: Command): Promise<void> {
  const outcome = await perform(command, place).catch(asStagerError);
  if ('fingerprint' in outcome) {
    // What `verify` says of damage is not a result that could be wrong.
    if (command !== 'verify') expect(outcome.fingerprint).toBe(expected.get(command));
    return;
  }
  expect(outcome.code, outcome.message).toMatch(/^(BLOB|RESOURCE_MISSING|DROPLET_INVALID)/);
  expect(`${outcome.message} ${outcome.next}`).toMatch(/(file|s3):\/\//);
  expect(outcome.next).toBeTruthy();
}

describe('bits that flip in files', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await makeRig();
  });
  afterAll(() => rig.close());

  /** Flips one bit after another, each back again before the next, until `signal`. */
  async function flipping(files: readonly string[], signal: AbortSignal): Promise<void> {
    for (let n = 0; !signal.aborted; n += 1) {
      const file = files[n % files.length] ?? '';
      const at = (n * 7919) % Math.max(1, statSync(file).size);
      flip(file, at);
      await setTimeout(3);
      flip(file, at);
    }
  }

  function flip(file: string, at: number): void {
    const handle = openSync(file, 'r+');
    const byte = Buffer.alloc(1);
    if (readSync(handle, byte, 0, 1, at) === 1)
      writeSync(handle, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
    closeSync(handle);
  }

  it.each(COMMANDS)('give the right result of %s, or a clear error', async (command) => {
    restore(rig.place);
    // Data is not written to again, so what flips is what was there.
    const data = globSync(join(rig.place.dir, 'home/blobs/.data/*/*'));
    const over = new AbortController();
    // A file that is damaged is replaced, and then it is gone.
    const flips = flipping(data, over.signal).catch(() => undefined);
    await judge(rig, command);
    over.abort();
    await flips;
    await judge(rig, command);
  });
});

describe('bits that flip on the way from S3', () => {
  let server: S3Server;
  let proxy: OddProxy;
  let rig: Rig;
  beforeAll(async () => {
    useTestCredentials();
    server = await startS3Server();
    proxy = await startOddProxy(server.port);
    await server.makeBucket('flips');
    rig = await makeRig({ blobstore: `s3://flips/p?endpoint=${proxy.endpoint}&attempts=2` });
  });
  afterAll(async () => {
    await rig.close();
    await proxy.stop();
    await server.stop();
  });

  const isTaken = (kind: string, command: string): boolean =>
    process.env['STAGER_TEST_WAYS'] === 'all' || READS.has(`${command} ${kind}`);
  it.each(
    KINDS.flatMap((kind) => COMMANDS.map((command) => ({ kind, command }))).filter(({ kind, command }) =>
      isTaken(kind, command),
    ),
  )(
    'in $kind give the right result of $command, or a clear error, and do no harm',
    async ({ kind, command }) => {
      for (const [way, operation] of [
        ['flips a bit', 'GetObject'],
        ['flips a bit of the metadata', 'HeadObject'],
      ] as const) {
        proxy.misbehave(way, operation, new RegExp(`/p/${kind}/`));
        try {
          await judge(rig, command);
        } finally {
          proxy.misbehave(undefined);
        }
        const { fingerprint, warnings } = await perform(command, rig.place);
        expect(fingerprint).toBe(rig.expected.get(command));
        expect(warnings).toEqual([]);
      }
    },
  );
});
