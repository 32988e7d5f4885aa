/**
 * A client that pushes, stages and deletes until its server dies, and writes down what was acknowledged; afterwards it
 * compares that with what the next server has.
 */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { form, zipOf } from './builds.ts';

export interface Place {
  readonly url: string;
  readonly token: string;
  /** Gives a new token when that one is over. */
  readonly refresh: string;
  readonly space: string;
}

/** `unknown`: the server died before it answered. */
type Fate = 'kept' | 'deleted' | 'unknown';

interface AppRecord {
  fate: Fate;
  /** Its package once the upload was acknowledged, and a text that has to be in it. */
  source?: { readonly guid: string; readonly text: string };
  build?: string;
}

type Body = Readonly<Record<string, unknown>>;

/** Milliseconds. A minute is what is promised; a busy machine is not a failure. */
const PATIENCE_MS = 120_000;

export class Journal {
  readonly #apps = new Map<string, AppRecord>();
  #checked = 0;

  /** How many objects were looked at after a kill. */
  get checked(): number {
    return this.#checked;
  }

  /** Works until the server is gone. */
  async work(place: Place): Promise<void> {
    for (;;) {
      try {
        await this.#push(place);
      } catch (error) {
        if (error instanceof Refused) throw error;
        return;
      }
    }
  }

  async #push(place: Place): Promise<void> {
    const text = crypto.randomUUID();
    const { guid: app = '' } = texts(
      await ask(place, 'POST', '/v3/apps', {
        name: `app-${text}`,
        environment_variables: { FAKE_PAUSE: '20' },
        relationships: { space: { data: { guid: place.space } } },
      }),
    );
    const record: AppRecord = { fate: 'kept' };
    this.#apps.set(app, record);
    const relationships = { app: { data: { guid: app } } };
    const { guid = '' } = texts(await ask(place, 'POST', '/v3/packages', { type: 'bits', relationships }));
    const bits = await zipOf({ 'index.html': text, 'big.bin': text.repeat(4000) });
    await ask(place, 'POST', `/v3/packages/${guid}/upload`, form({ bits }));
    record.source = { guid, text };
    await settled(place, `/v3/packages/${guid}`, ['READY']);
    record.build = texts(await ask(place, 'POST', '/v3/builds', { package: { guid } }))['guid'] ?? '';
    await settled(place, `/v3/builds/${record.build}`, ['STAGED', 'FAILED']);
    if (Math.random() < 0.5) return;
    record.fate = 'unknown';
    await ask(place, 'DELETE', `/v3/apps/${app}`);
    record.fate = 'deleted';
  }

  /** @throws what does not hold. */
  async check(place: Place): Promise<void> {
    for (const [app, record] of this.#apps) {
      this.#checked += 1;
      if (record.fate === 'kept') await checkKept(place, app, record);
      else await checkGone(place, app, record.fate);
      // What held once is looked at no more, so that a hundred rounds take a hundred times as long, not more.
      this.#apps.delete(app);
    }
  }
}

async function checkKept(place: Place, app: string, { source, build }: AppRecord): Promise<void> {
  await ask(place, 'GET', `/v3/apps/${app}`);
  if (source === undefined) return;
  await settled(place, `/v3/packages/${source.guid}`, ['READY']);
  const bytes = await download(place, `/v3/packages/${source.guid}/download`);
  if (!bytes.includes('index.html')) throw new Error(`package ${source.guid} is not whole`);
  if (build === undefined) return;
  const { state, error, droplet } = await settled(place, `/v3/builds/${build}`, ['STAGED', 'FAILED']);
  if (state === 'FAILED') {
    if (!/restarted/.test(String(error))) throw new Error(`build ${build} failed: ${String(error)}`);
    return;
  }
  const { guid = '' } = texts(droplet);
  const shown = await ask(place, 'GET', `/v3/droplets/${guid}`);
  const { value } = texts(shown['checksum']);
  const sha256 = createHash('sha256').update(await download(place, `/v3/droplets/${guid}/download`));
  if (sha256.digest('hex') !== value) throw new Error(`droplet ${guid} is not whole`);
  const log = await request(place, 'GET', `/v3/builds/${build}/logs?follow=false`);
  if (!/line 2/.test(await log.text())) throw new Error(`the log of build ${build} lacks its last line`);
}

async function checkGone(place: Place, app: string, fate: Fate): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const { status } = await request(place, 'GET', `/v3/apps/${app}`);
    if (status === 404) return;
    // Nobody said that it would be deleted: then it is all there.
    if (status === 200 && fate === 'unknown') return;
    if (Date.now() > end) throw new Error(`app ${app} was deleted, and is there: ${status}`);
    await setTimeout(50);
  }
}

/** An answer other than success, which no kill explains. */
class Refused extends Error {}

async function request(place: Place, method: string, path: string, body?: object): Promise<Response> {
  const isForm = body instanceof FormData;
  return await fetch(path.startsWith('http') ? path : `${place.url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      authorization: `bearer ${place.token}`,
      ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
  });
}

async function ask(place: Place, method: string, path: string, body?: object): Promise<Body> {
  const reply = await request(place, method, path, body);
  const text = await reply.text();
  if (reply.status >= 400) throw new Refused(`${method} ${path}: ${reply.status} ${text}`);
  return text === '' ? {} : JSON.parse(text);
}

async function settled(place: Place, path: string, states: readonly string[]): Promise<Body> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const body = await ask(place, 'GET', path);
    if (states.includes(String(body['state']))) return body;
    if (Date.now() > end) throw new Refused(`${path} is ${String(body['state'])} still`);
    await setTimeout(20);
  }
}

async function download(place: Place, path: string): Promise<Buffer> {
  const redirect = await request(place, 'GET', path);
  const reply = await fetch(redirect.headers.get('location') ?? '');
  return Buffer.from(await reply.arrayBuffer());
}

function texts(value: unknown): Readonly<Partial<Record<string, string>>> {
  return Object.fromEntries(Object.entries(Object(value)).map(([key, item]) => [key, String(item)]));
}
