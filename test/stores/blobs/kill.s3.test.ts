import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import { type S3Server, startS3Server, useTestCredentials } from '../../support/s3-server.ts';
import { KILLS, killMany, PATIENT } from './kill-rig.ts';

let server: S3Server;
beforeAll(async () => {
  useTestCredentials();
  server = await startS3Server();
  await server.makeBucket('kills');
});
afterAll(async () => {
  await server.stop();
});

it(
  `has no incomplete blob in a bucket after ${KILLS} kills, goes on after each, and sweeps what is left`,
  PATIENT,
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'stager-kill-s3-'));
    try {
      await killMany({ address: server.address('kills', '&partSizeMib=5'), root, kills: KILLS });
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  },
);
