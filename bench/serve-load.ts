/** Fifty clients at once against one server: what they ask in turn, and how fast it is answered. */
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { z } from 'zod';
import { zipOf } from '../test/doors/http/support/builds.ts';
import type { Running } from './serve-server.ts';

const CLIENTS = 50;
const LARGE = 100_000;

export interface Load {
  readonly name: string;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
}

export interface Figures {
  readonly loads: readonly Load[];
  readonly largeMatchMs: number;
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

/** @param seconds for each kind of request. */
export async function loadFigures({ url, token }: Running, seconds: number): Promise<Figures> {
  const ask = client(url, token);
  const { app, build } = await stagedApp(url, token);
  const match = (count: number): string =>
    JSON.stringify({
      resources: Array.from({ length: count }, (_, n) => ({
        path: `node_modules/f${n}.js`,
        mode: '644',
        size_in_bytes: 70_000 + n,
        checksum: { value: randomBytes(20).toString('hex') },
      })),
    });
  const create = { type: 'bits', relationships: { app: { data: { guid: app } } } };
  const kinds: readonly (readonly [string, Asked])[] = [
    ['create a package', { method: 'POST', path: '/v3/packages', body: JSON.stringify(create) }],
    ['match 100 files', { method: 'POST', path: '/v3/resource_matches', body: match(100) }],
    ['ask for a build', { method: 'GET', path: `/v3/builds/${build}` }],
    ['read the log of a build', { method: 'GET', path: `/v3/builds/${build}/logs?follow=false` }],
    ['read the log as cf does', { method: 'GET', path: `/api/v1/read/${app}?descending=true&limit=1000` }],
  ];
  const loads: Load[] = [];
  for (const [name, asked] of kinds) loads.push({ name, ...(await loaded(ask, asked, seconds)) });
  const body = match(LARGE);
  await ask({ method: 'POST', path: '/v3/resource_matches', body });
  const started = performance.now();
  const status = await ask({ method: 'POST', path: '/v3/resource_matches', body });
  if (status !== 201) throw new Error(`the large match was answered ${status}`);
  return { loads, largeMatchMs: Math.round(performance.now() - started) };
}

async function loaded(
  ask: ReturnType<typeof client>,
  asked: Asked,
  seconds: number,
): Promise<Omit<Load, 'name'>> {
  const times: number[] = [];
  let failed = 0;
  const started = performance.now();
  const until = started + seconds * 1000;
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      const from = performance.now();
      const status = await ask(asked);
      times.push(performance.now() - from);
      if (status >= 400) failed += 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, one));
  const took = (performance.now() - started) / 1000;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10;
  return { perSecond: Math.round(times.length / took), p50: at(0.5), p99: at(0.99), failed };
}

/** Connections stay open, as clients' do. */
function client(url: string, token: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  return async ({ method, path, body }: Asked): Promise<number> => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const headers = {
      authorization: `bearer ${token}`,
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      }),
    };
    const asking = request(`${url}${path}`, { agent, method, headers }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0)).once('error', reject);
    });
    asking.once('error', reject);
    asking.end(body);
    return await promise;
  };
}

const Made = z.object({ guid: z.string() });

/** An app with a package and a build that is over. */
async function stagedApp(url: string, token: string): Promise<{ app: string; build: string }> {
  const json = async (path: string, body?: object | FormData): Promise<unknown> => {
    const answer = await fetch(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `bearer ${token}`,
        ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: body instanceof FormData ? body : JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return await answer.json();
  };
  const make = async (path: string, body: object): Promise<string> => Made.parse(await json(path, body)).guid;
  const to = (name: string, guid: string) => ({ relationships: { [name]: { data: { guid } } } });
  const organization = await make('/v3/organizations', { name: 'bench' });
  const space = await make('/v3/spaces', { name: 'bench', ...to('organization', organization) });
  const lifecycle = { type: 'buildpack', data: { buildpacks: ['staticfile_buildpack'] } };
  const app = await make('/v3/apps', { name: 'bench', lifecycle, ...to('space', space) });
  const source = await make('/v3/packages', { type: 'bits', ...to('app', app) });
  const upload = new FormData();
  const files = { Staticfile: '', 'index.html': 'x'.repeat(100_000) };
  upload.set('bits', await zipOf(files), 'app.zip');
  await json(`/v3/packages/${source}/upload`, upload);
  const build = await make('/v3/builds', { package: { guid: source } });
  const State = z.object({ state: z.string() });
  for (;;) {
    const { state } = State.parse(await json(`/v3/builds/${build}`));
    if (state === 'STAGED') return { app, build };
    if (state !== 'STAGING') throw new Error(`the build is ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
