/** A server in this process over a database of its own, and a client that asks it as one of the world's users. */
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll } from 'vitest';
import { ROUTES } from '../../../../src/doors/http/all-routes.ts';
import { createService } from '../../../../src/doors/http/create-service.ts';
import type { HttpService } from '../../../../src/doors/http/route/service.ts';
import { createServer } from '../../../../src/doors/http/server.ts';
import { describeTwice, type OpenedDatabase, PATIENT_MS } from '../../../service/support/two-databases.ts';
import { type FakeMeans, fakeMeans } from './staging.ts';
import { type Actor, createWorld, type World } from './world.ts';

/** What came back. `body` is the parsed JSON, `{}` when there was none. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Ask {
  /** Default admin. */
  readonly as?: Actor;
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** See the top of the file. */
export interface Api {
  readonly url: string;
  readonly service: HttpService;
  readonly server: FastifyInstance;
  readonly world: World;
  readonly means: FakeMeans;
  ask(method: string, path: string, ask?: Ask): Promise<Reply>;
  /** Follows the Location of an answer until the job is over; fails the test when the job failed. */
  job(reply: Reply): Promise<void>;
}

/** Declares the same tests twice: over the embedded database, and over a PostgreSQL server. */
export function describeApi(name: string, tests: (api: () => Api) => void): void {
  describeTwice(name, (open) => tests(useApi(open)));
}

function useApi(open: () => Promise<OpenedDatabase>): () => Api {
  let api: Api | undefined;
  let close: () => Promise<void> = () => Promise.resolve();
  beforeAll(async () => {
    const started = await startApi(await open(), await fakeMeans());
    [api, close] = [started.api, started.close];
  }, PATIENT_MS);
  afterAll(() => close());
  return () => {
    if (api === undefined) throw new Error('the server did not start');
    return api;
  };
}

/** A server over that database; `close` ends both. */
export async function startApi({ database, stop }: OpenedDatabase, means: FakeMeans) {
  const settings = { name: 'test', version: '0.0.0' };
  const service = await createService({ database, settings, staging: means });
  const server = await createServer(service, { routes: ROUTES });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const close = async (): Promise<void> => {
    await server.close();
    await service.deliveries.close();
    await service.staging.close();
    await service.jobs.close();
    await database.close();
    await stop?.();
    await means.remove();
  };
  if (service.signIn.kind !== 'embedded') throw new Error('the embedded sign-in is tested here');
  const world = await createWorld(database.queries, service.signIn.keys);
  return { api: client({ url, service, server, world, means }), close };
}

function client(parts: Omit<Api, 'ask' | 'job'>): Api {
  const { url, world, service } = parts;
  const ask: Api['ask'] = async (method, path, { as = 'admin', token, body, headers = {} } = {}) => {
    const bearer = token ?? (as === 'nobody' ? undefined : world.users[as].token);
    const raw = typeof body === 'string' || body instanceof FormData ? body : JSON.stringify(body);
    const json = raw !== body || body === undefined;
    const response = await fetch(path.startsWith('http') ? path : `${url}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(json && { 'content-type': 'application/json' }),
        ...(bearer !== undefined && { authorization: `bearer ${bearer}` }),
        ...headers,
      },
      ...(body !== undefined && raw !== undefined && { body: raw }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: objectIn(text) };
  };
  const job: Api['job'] = async (reply) => {
    const location = reply.headers.get('location');
    if (location === null) throw new Error(`no job: ${reply.status} ${reply.text}`);
    await service.jobs.idle();
    const { body, text } = await ask('GET', location);
    if (body['state'] !== 'COMPLETE') throw new Error(`the job did not complete: ${text}`);
  };
  return { ...parts, ask, job };
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** The guid of a reply's resource. */
export function guidIn(reply: Reply): string {
  const { guid } = reply.body;
  if (typeof guid !== 'string') throw new Error(`no guid: ${reply.status} ${reply.text}`);
  return guid;
}

/** The resources of a list. */
export function resourcesIn(reply: Reply): readonly Readonly<Record<string, unknown>>[] {
  const { resources } = reply.body;
  if (!Array.isArray(resources)) throw new Error(`no list: ${reply.status} ${reply.text}`);
  return resources.map((item: unknown) => ({ ...(typeof item === 'object' ? item : {}) }));
}

/** The details of a reply's errors. */
export function detailsIn(reply: Reply): readonly string[] {
  const { errors } = reply.body;
  if (!Array.isArray(errors)) throw new Error(`no errors: ${reply.status} ${reply.text}`);
  return errors.map((error: unknown) =>
    typeof error === 'object' && error !== null && 'detail' in error ? String(error.detail) : '',
  );
}
