/** Asks the server of a fleet, which may be gone at any moment: then again, wherever it is by then. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { form, zipOf } from '../doors/http/support/builds.ts';
import { zipDirectory } from '../doors/http/support/served.ts';
import type { Fleet } from './fleet.ts';

/** Milliseconds. */
const PATIENCE_MS = 180_000;

const WithGuid = z.object({ guid: z.string() });
export const Build = z.object({
  guid: z.string(),
  state: z.enum(['STAGING', 'STAGED', 'FAILED']),
  error: z.string().nullable(),
  queue: z.object({ position: z.number(), reason: z.string() }).optional(),
});

/** What is asked for every staging of an app. */
export interface AppKind {
  readonly variables: Readonly<Record<string, string>>;
  readonly buildpacks: readonly string[];
}

export class Client {
  readonly #fleet: Fleet;
  /** Of the server at `url`, once the first one was over. */
  #renewed: { readonly url: string; readonly token: string } | undefined;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** A space in an organization of its own. */
  async newSpace(name: string): Promise<string> {
    const { guid } = WithGuid.parse(await this.ask('POST', '/v3/organizations', { name }));
    const relationships = { organization: { data: { guid } } };
    return WithGuid.parse(await this.ask('POST', '/v3/spaces', { name, relationships })).guid;
  }

  /** An app with a package. @returns the guid of the package. */
  async newPackage(space: string, name: string, { variables, buildpacks }: AppKind): Promise<string> {
    const app = WithGuid.parse(
      await this.ask('POST', '/v3/apps', {
        name,
        environment_variables: variables,
        lifecycle: { type: 'buildpack', data: { buildpacks } },
        relationships: { space: { data: { guid: space } } },
      }),
    );
    const relationships = { app: { data: { guid: app.guid } } };
    const { guid } = WithGuid.parse(await this.ask('POST', '/v3/packages', { type: 'bits', relationships }));
    await this.ask(
      'POST',
      `/v3/packages/${guid}/upload`,
      form({ bits: await zipOf({ 'index.html': name }) }),
    );
    await this.until(`/v3/packages/${guid}`, (body) => Object(body).state === 'READY');
    return guid;
  }

  /** A buildpack of this directory. */
  async addBuildpack(directory: string): Promise<void> {
    const name = 'told';
    const { guid } = WithGuid.parse(await this.ask('POST', '/v3/buildpacks', { name }));
    const dir = await mkdtemp(join(tmpdir(), 'stager-faults-told-'));
    const zip = await readFile(zipDirectory(directory, join(dir, 'told.zip')));
    await rm(dir, { recursive: true, force: true });
    await this.ask(
      'POST',
      `/v3/buildpacks/${guid}/upload`,
      form({ bits: new Blob([zip]), name: 'told.zip' }),
    );
    await this.until(`/v3/buildpacks/${guid}`, (body) => Object(body).state === 'READY');
  }

  async stage(source: string): Promise<string> {
    const made = await this.ask('POST', '/v3/builds?when_staging=wait', { package: { guid: source } });
    return WithGuid.parse(made).guid;
  }

  async build(guid: string): Promise<z.output<typeof Build>> {
    return Build.parse(await this.ask('GET', `/v3/builds/${guid}`));
  }

  async ended(guid: string): Promise<z.output<typeof Build>> {
    return Build.parse(await this.until(`/v3/builds/${guid}`, (body) => Object(body).state !== 'STAGING'));
  }

  async until(path: string, holds: (body: unknown) => boolean): Promise<unknown> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const body = await this.ask('GET', path);
      if (holds(body)) return body;
      if (Date.now() > end) throw new Error(`${path} still is ${JSON.stringify(body)}`);
      await setTimeout(100);
    }
  }

  /** A 4xx is an error of the test; everything else is tried again. */
  async ask(method: string, path: string, body?: object): Promise<unknown> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await this.#once(method, path, body);
      } catch (error) {
        if (error instanceof Refused || Date.now() > end) throw error;
        await setTimeout(200);
      }
    }
  }

  async #once(method: string, path: string, body?: object): Promise<unknown> {
    const { url, token: first, refresh } = this.#fleet.place();
    const token = this.#renewed?.url === url ? this.#renewed.token : first;
    const isForm = body instanceof FormData;
    const reply = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `bearer ${token}`,
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await reply.text();
    if (reply.status === 401) this.#renewed = { url, token: await renewed(url, refresh) };
    // Tokens end after a while, and with the server before.
    if (reply.status >= 400 && reply.status < 500 && reply.status !== 401) {
      throw new Refused(`${method} ${path}: ${reply.status} ${text}`);
    }
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
    return text === '' ? {} : JSON.parse(text);
  }
}

async function renewed(url: string, refresh: string): Promise<string> {
  const reply = await fetch(`${url}/uaa/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('cf:').toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refresh }),
    signal: AbortSignal.timeout(30_000),
  });
  return z.object({ access_token: z.string() }).parse(await reply.json()).access_token;
}

class Refused extends Error {}
