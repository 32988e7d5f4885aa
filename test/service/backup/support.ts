/** A service that is filled, lost and restored: what has to work afterwards. */
import type { FastifyInstance } from 'fastify';
import { expect } from 'vitest';
import { z } from 'zod';
import { ROUTES } from '../../../src/doors/http/all-routes.ts';
import { createService } from '../../../src/doors/http/create-service.ts';
import type { HttpService } from '../../../src/doors/http/route/service.ts';
import { createServer } from '../../../src/doors/http/server.ts';
import { createAccount } from '../../../src/service/sign-in/accounts.ts';
import { ADMIN_SCOPES } from '../../../src/service/sign-in/admin.ts';
import type { Database } from '../../../src/service/state/database.ts';
import type { Telemetry } from '../../../src/words/telemetry.ts';
import { form, zipOf } from '../../doors/http/support/builds.ts';
import { type FakeMeans, fakeMeans } from '../../doors/http/support/staging.ts';

export const PASSWORD = 'a password that stays';

const WithGuid = z.object({ guid: z.string() });

export interface Running {
  readonly url: string;
  readonly means: FakeMeans;
  readonly service: HttpService;
  stop(): Promise<void>;
}

/** `dir`: where the bytes are. `phases`: a staging tells of one. */
export async function run(
  database: Database,
  dir: string,
  more: { readonly telemetry?: Telemetry; readonly phases?: boolean } = {},
): Promise<Running> {
  const fake = await fakeMeans(dir);
  const means = more.phases === true ? { ...fake, stage: withPhase(fake.stage) } : fake;
  const settings = { name: 'test', version: '0.0.0' };
  const service = await createService({
    database,
    settings,
    staging: means,
    ...(more.telemetry !== undefined && { telemetry: more.telemetry }),
  });
  const server: FastifyInstance = await createServer(service, { routes: ROUTES });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    url,
    means,
    service,
    stop: async () => {
      await server.close();
      await service.jobs.close();
      await service.deliveries.close();
      await service.staging.close();
    },
  };
}

function withPhase(stage: FakeMeans['stage']): FakeMeans['stage'] {
  return async (request, io) => {
    const [at, phase] = [new Date().toISOString(), { name: 'finalize' as const, buildpack: 'fake' }];
    io.emit({ type: 'phase-started', at, phase });
    const record = await stage(request, io);
    io.emit({ type: 'phase-ended', at, phase, outcome: 'done', durationMs: 1 });
    return record;
  };
}

export interface Filled {
  readonly space: string;
  readonly app: string;
  readonly source: string;
  readonly build: string;
  readonly droplet: string;
  /** It waits for its end when the copy is made. */
  readonly running: string;
}

/** An account, a space, an app that was staged and one that is being staged. */
export async function fill({ url, service }: Running): Promise<Filled> {
  const { queries } = service.database;
  await createAccount(queries, { username: 'boss', password: PASSWORD, scopes: ADMIN_SCOPES });
  const ask = await client(url);
  const organization = WithGuid.parse(await ask('POST', '/v3/organizations', { name: 'acme' })).guid;
  const relationships = { organization: { data: { guid: organization } } };
  const space = WithGuid.parse(await ask('POST', '/v3/spaces', { name: 'dev', relationships })).guid;
  const app = await newApp(ask, space, 'one', {});
  const source = await newPackage(ask, service, app);
  const build = WithGuid.parse(await ask('POST', '/v3/builds', { package: { guid: source } })).guid;
  await service.staging.worker.idle();
  const { droplet } = z.object({ droplet: WithGuid }).parse(await ask('GET', `/v3/builds/${build}`));
  await ask('PATCH', `/v3/apps/${app}/relationships/current_droplet`, { data: { guid: droplet.guid } });
  const second = await newApp(ask, space, 'two', { FAKE: 'wait' });
  const waits = await newPackage(ask, service, second);
  const running = WithGuid.parse(await ask('POST', '/v3/builds', { package: { guid: waits } })).guid;
  await ask('PATCH', `/v3/apps/${second}/environment_variables`, { var: { FAKE: null } });
  return { space, app, source, build, droplet: droplet.guid, running };
}

/** Everything is as it was, and goes on. */
export async function goesOn({ url, service }: Running, filled: Filled): Promise<void> {
  const ask = await client(url);
  const { app, source, build, droplet, running, space } = filled;
  expect(await ask('GET', `/v3/apps/${app}/droplets/current`)).toMatchObject({
    guid: droplet,
    state: 'STAGED',
  });
  expect(await ask('GET', `/v3/builds/${build}`)).toMatchObject({ state: 'STAGED' });
  expect(await ask('GET', `/v3/packages/${source}`)).toMatchObject({ state: 'READY' });
  expect(await ask.text(`/v3/builds/${build}/logs?follow=false`)).toContain('line 2');
  expect(await ask.text(`/v3/droplets/${droplet}/download`)).toBe('droplet of one');
  // What was being staged is staged again; it waits as before, and is ended.
  expect(await ask('GET', `/v3/builds/${running}`)).toMatchObject({ state: 'STAGING' });
  await ask('PATCH', `/v3/builds/${running}`, { state: 'FAILED' });
  await service.staging.worker.idle();
  const again = WithGuid.parse(await ask('POST', '/v3/builds', { package: { guid: source } })).guid;
  await service.staging.worker.idle();
  expect(await ask('GET', `/v3/builds/${again}`)).toMatchObject({ state: 'STAGED' });
  const next = await newApp(ask, space, 'three', {});
  expect(await newPackage(ask, service, next)).toMatch(/./);
}

type Ask = ((method: string, path: string, body?: object) => Promise<unknown>) & {
  text(path: string): Promise<string>;
};

async function client(url: string): Promise<Ask> {
  const body = new URLSearchParams({ grant_type: 'password', username: 'boss', password: PASSWORD });
  const headers = { authorization: `Basic ${btoa('cf:')}` };
  const signedIn = await fetch(`${url}/uaa/oauth/token`, { method: 'POST', body, headers });
  const { access_token: token } = z.object({ access_token: z.string() }).parse(await signedIn.json());
  const send = async (method: string, path: string, body?: object): Promise<string> => {
    const isForm = body instanceof FormData;
    const reply = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `bearer ${token}`,
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
    return text;
  };
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const text = await send(method, path, body);
    return text === '' ? undefined : JSON.parse(text);
  };
  return Object.assign(ask, { text: (path: string) => send('GET', path) });
}

async function newApp(ask: Ask, space: string, name: string, variables: object): Promise<string> {
  const made = await ask('POST', '/v3/apps', {
    name,
    environment_variables: variables,
    relationships: { space: { data: { guid: space } } },
  });
  return WithGuid.parse(made).guid;
}

async function newPackage(ask: Ask, service: HttpService, app: string): Promise<string> {
  const relationships = { app: { data: { guid: app } } };
  const { guid } = WithGuid.parse(await ask('POST', '/v3/packages', { type: 'bits', relationships }));
  await ask('POST', `/v3/packages/${guid}/upload`, form({ bits: await zipOf({ 'index.html': 'hello' }) }));
  await service.jobs.idle();
  return guid;
}
