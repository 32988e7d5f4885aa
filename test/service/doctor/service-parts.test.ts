import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import got from 'got';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { ServicePart } from '../../../src/machine/doctor/doctor.ts';
import { type Facts, type Finding, finding } from '../../../src/machine/doctor/finding.ts';
import { clockFinding } from '../../../src/service/doctor/clock-finding.ts';
import { judgeDatabase, judgeQueue, type ServerFacts } from '../../../src/service/doctor/database-finding.ts';
import { type ServiceSurroundings, serviceParts } from '../../../src/service/doctor/service-parts.ts';
import { SCHEMA } from '../../../src/service/state/migrate.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import { storeFacts } from '../../../src/stores/blobs/store-facts.ts';
import { type PostgresServer, postgresMissing, startPostgres } from '../../doors/http/support/postgres.ts';
import { freePort } from '../../support/free-port.ts';
import { useTestCredentials } from '../../support/s3-server.ts';

const signal = new AbortController().signal;
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** What `stager doctor` says of one part. */
async function look(
  part: ServicePart,
  settings: ServiceSurroundings['settings'],
  proxy: ServiceSurroundings['proxy'] = {},
): Promise<Finding<Facts>> {
  const blobs = () => openBlobStore(settings.blobstore ?? tmpdir(), { proxy: {}, extraCas: async () => [] });
  const parts = serviceParts({
    settings,
    proxy,
    blobs,
    extraCas: async () => [],
    http: async () => got.extend({ retry: { limit: 0 } }),
    signal,
  });
  const find = parts[part];
  if (find === undefined) throw new Error(`${part} is not looked at`);
  return await finding(signal, find);
}

async function answering(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  ends.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

const WELL = { version: 150_018, named: '15.18', standby: false, read_only: false, most: 100, used: 5 };

describe('stager doctor, of a database', () => {
  it('says where one is that does not answer, without its password, and what to do', async () => {
    const database = `postgres://stager:secret@127.0.0.1:${await freePort()}/stager`;
    for (const part of ['database', 'queue', 'clock'] as const) {
      const found = await look(part, { database });
      expect(found).toMatchObject({
        status: 'failed',
        why: expect.stringMatching(/^the database at postgres:\/\/127\.0\.0\.1:.*ECONNREFUSED/),
        next: expect.stringContaining('Check the address'),
      });
      expect(JSON.stringify(found)).not.toContain('secret');
    }
  });

  it.each<[string, Partial<ServerFacts>, readonly string[], string]>([
    ['an old server', { version: 130_014, named: '13.14' }, SCHEMA, 'PostgreSQL 13.14 is too old'],
    ['a standby', { standby: true }, SCHEMA, 'standby'],
    ['one that is read only', { read_only: true }, SCHEMA, 'read only'],
    ['one of a newer stager', {}, [...SCHEMA, '9999-new'], '9999-new'],
  ])('refuses %s', async (_name, facts, schema, why) => {
    const found = await finding(signal, () => judgeDatabase({ ...WELL, ...facts }, schema));
    expect(found).toMatchObject({
      status: 'failed',
      why: expect.stringContaining(why),
      next: expect.any(String),
    });
  });

  it('warns of missing migrations, few connections, and builds that nobody takes', () => {
    expect(judgeDatabase({ ...WELL, used: 95 }, SCHEMA.slice(0, 2))).toMatchObject({
      status: 'warning',
      notes: [
        expect.stringContaining(SCHEMA[2] ?? ''),
        'only 5 of 100 connections are free: raise max_connections',
      ],
    });
    const none = { waiting: 0, unfit: 0, oldest_s: 0, running: 0, short_of_disk: 0, jobs: 0 };
    const idle = { ...none, workers: 1, slots: 2 };
    expect(judgeQueue(idle).status).toBe('ok');
    expect(judgeQueue({ ...idle, waiting: 3, workers: 0 })).toMatchObject({ status: 'warning' });
    expect(judgeQueue({ ...none, workers: 0, slots: 0, short_of_disk: 2 })).toMatchObject({
      notes: ['2 workers take no builds, since their disk is nearly full: make room on it'],
    });
    expect(judgeQueue({ ...idle, waiting: 3, unfit: 2, oldest_s: 1200 })).toMatchObject({
      notes: [expect.stringContaining('2 of them fit no worker'), expect.stringContaining('20 minutes')],
    });
  });

  if (postgresMissing !== undefined)
    it.skip(`NOT RUN: a real PostgreSQL: ${postgresMissing}`, () => undefined);
  else {
    let server: Promise<PostgresServer> | undefined;
    afterAll(async () => await (await server)?.stop());

    it('asks a real one, and migrates nothing', async () => {
      server = startPostgres();
      const database = await (await server).createDatabase();
      for (let round = 0; round < 2; round += 1) {
        expect(await look('database', { database })).toMatchObject({
          status: 'ok',
          value: [expect.stringMatching(/^PostgreSQL \d+.*no tables yet/)],
        });
      }
      expect(await look('queue', { database })).toMatchObject({ status: 'ok' });
      const migrated = { database: (await server).migrated };
      expect(await look('database', migrated)).toMatchObject({
        value: [expect.stringContaining('are there')],
      });
      expect(await look('queue', migrated)).toMatchObject({
        status: 'warning',
        value: ['0 waiting, 0 running; 0 workers with 0 slots'],
      });
      expect(await look('clock', migrated)).toMatchObject({
        status: 'ok',
        value: ['as that of the database'],
      });
    });
  }
});

describe('stager doctor, of what is around a server', () => {
  it.each([
    ['PUT', 'written'],
    ['GET', 'read'],
    ['DELETE', 'written'],
  ])('says of a bucket that refuses %s that it can not be %s', async (refused, what) => {
    useTestCredentials();
    const endpoint = await answering(({ method }, response) => {
      if (method === refused)
        response
          .writeHead(403, { 'content-type': 'application/xml' })
          .end('<Error><Code>AccessDenied</Code></Error>');
      else response.writeHead(method === 'DELETE' ? 204 : 200, { etag: '"e"' }).end();
    });
    const store = await openBlobStore(`s3://bucket?endpoint=${endpoint}`, {
      proxy: {},
      extraCas: async () => [],
    });
    const found = await finding(signal, async () => ({
      status: 'ok',
      value: await storeFacts(store, signal),
      notes: [],
    }));
    expect(found).toMatchObject({
      status: 'failed',
      why: expect.stringContaining(`can't be ${what}: `),
      next: expect.stringContaining('credentials'),
    });
  });

  it('says which clock is off, and how far', async () => {
    const clock = (name: string, at: number) => ({ name, now: async () => at });
    const ours = (): number => 1_000_000;
    expect(
      await clockFinding([clock('the database', 1_001_000), clock('the blobstore', 400_000)], ours),
    ).toMatchObject({
      status: 'warning',
      value: ['as that of the database', '600 s off that of the blobstore'],
      notes: [expect.stringMatching(/^it is 600 s ahead of the blobstore: let chrony/)],
    });
  });

  it('says that a proxy does not answer, or which are used', async () => {
    const proxy = { https: `http://user:secret@127.0.0.1:${await freePort()}`, no: 'localhost' };
    const found = await look('proxy', {}, proxy);
    expect(found).toMatchObject({
      status: 'failed',
      why: expect.stringMatching(/^HTTPS_PROXY leads nowhere: the proxy 127\.0\.0\.1:\d+: ECONNREFUSED/),
    });
    expect(JSON.stringify(found)).not.toContain('secret');
    const http = await answering((_request, response) => void response.end());
    expect(await look('proxy', {}, { http, no: 'localhost' })).toMatchObject({
      status: 'ok',
      value: [expect.stringMatching(/^HTTP_PROXY: .* takes connections$/), 'not for: localhost'],
    });
  });

  it('says whether a server is ready, and which part of it is not', async () => {
    let state = { status: 200, blobstore: 'ok' };
    const url = await answering(({ url: path, headers: { host } }, response) => {
      const at = { href: `http://${host}` };
      if (path === '/readyz')
        response
          .writeHead(state.status)
          .end(JSON.stringify({ status: 'x', database: 'ok', blobstore: state.blobstore }));
      else response.end(JSON.stringify({ links: { cloud_controller_v3: at, login: at, stager: at } }));
    });
    expect(await look('server', { server: url })).toMatchObject({
      status: 'ok',
      value: [expect.stringMatching(/is ready: database ok, blobstore ok$/)],
    });
    state = { status: 503, blobstore: 'failed' };
    expect(await look('server', { server: url })).toMatchObject({
      status: 'failed',
      why: expect.stringMatching(/is not ready: database ok, blobstore failed$/),
    });
    expect(await look('server', { server: `http://127.0.0.1:${await freePort()}` })).toMatchObject({
      status: 'failed',
      why: expect.stringContaining('does not answer'),
    });
  });

  it('says how much room the directory of a server has, before it is made', async () => {
    const data = `${tmpdir()}/stager-not-there/serve`;
    expect(await look('data', { data })).toMatchObject({
      value: [expect.stringContaining('created at the first start')],
    });
    expect(await look('database', { data })).toMatchObject({
      value: [expect.stringMatching(/^embedded in .*first start$/)],
    });
  });
});
