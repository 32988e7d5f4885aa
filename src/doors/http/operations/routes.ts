/** For operators: whether the server is alive, whether it is ready, and metrics. None of it is about apps or users. */
import { Readable } from 'node:stream';
import { sql } from 'kysely';
import { z } from 'zod';
import { route } from '../route/define-route.ts';
import type { HttpService } from '../route/service.ts';

/** Milliseconds that a part may take to answer. */
const READY_MS = 3000;

const Health = z.object({ status: z.literal('ok') });
const Part = z.enum(['ok', 'failed']);
const Readiness = z.object({ status: Part, database: Part, blobstore: Part });

const healthz = route({
  method: 'GET',
  path: '/healthz',
  summary: 'Say that the process is alive; restart it if there is no answer',
  access: 'anyone',
  answers: { 200: Health },
  handle: async () => ({ status: 200, body: { status: 'ok' as const } }),
});

const readyz = route({
  method: 'GET',
  path: '/readyz',
  summary: 'Say whether database and blobstore answer; 503 if one does not',
  access: 'anyone',
  answers: { 200: Readiness, 503: Readiness },
  handle: async ({ service }) => {
    const [database, blobstore] = await Promise.all([
      answers(() => sql`select 1`.execute(service.database.queries)),
      answers(() => blobstoreTime(service)),
    ]);
    const isReady = database === 'ok' && blobstore === 'ok';
    const body = { status: isReady ? ('ok' as const) : ('failed' as const), database, blobstore };
    return { status: isReady ? 200 : 503, body };
  },
});

const metrics = route({
  method: 'GET',
  path: '/metrics',
  summary: 'Figures for Prometheus',
  access: 'anyone',
  answers: { 200: 'bytes' },
  handle: async ({ service }) => {
    const { contentType, body } = await service.staging.metrics.text();
    return {
      status: 200,
      stream: Readable.from([Buffer.from(body)]),
      headers: { 'content-type': contentType },
    };
  },
});

export const operationRoutes = [healthz, readyz, metrics];

async function blobstoreTime({ staging }: HttpService): Promise<unknown> {
  const blobs = await staging.means.blobs();
  return await blobs.now({ signal: AbortSignal.timeout(READY_MS) });
}

async function answers(ask: () => Promise<unknown>): Promise<'ok' | 'failed'> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('no answer')), READY_MS);
  return await Promise.race([ask(), promise])
    .then(() => 'ok' as const)
    .catch(() => 'failed' as const)
    .finally(() => clearTimeout(timer));
}
