/** The real `stager serve` as a process of its own, over each pair of stores, for clients that are programs too. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { z } from 'zod';
import { Cli } from '../../../support/cli.ts';
import { freePort } from '../../../support/free-port.ts';
import { ACCESS_KEY, SECRET_KEY, startS3Server } from '../../../support/s3-server.ts';
import { postgresMissing, startPostgres } from './postgres.ts';

/** A server that listens. */
export interface Served {
  readonly url: string;
  /** A directory for what clients need; it goes with the server. */
  readonly dir: string;
  readonly cli: Cli;
  /** Of loopback, for image registries that the server may ask. */
  readonly registryPorts: readonly [number, number];
}

export const PASSWORD = 'correct-horse-battery';
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

/** Declares the same tests twice: over PGlite and a directory, and over PostgreSQL and an S3 store. */
export function describeServed(name: string, tests: (served: () => Served) => void): void {
  describe(`${name} (embedded database, directory)`, () => tests(useServed(async () => ({ args: [] }))));
  const missing = postgresMissing ?? s3Missing();
  if (missing !== undefined) {
    notRun(`${name} over PostgreSQL and S3`, missing);
    return;
  }
  describe(`${name} (PostgreSQL, S3)`, () => tests(useServed(otherStores)));
}

/** Names a suite that can't run, loudly, and gives the reason. */
export function notRun(name: string, why: string): void {
  process.stderr.write(`\nNOT RUN: ${name}: ${why}\n\n`);
  describe(name, () => {
    it.skip(`NOT RUN: ${why}`, () => undefined);
  });
}

interface Stores {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  stop?(): Promise<void>;
}

async function otherStores(): Promise<Stores> {
  const [postgres, s3] = [await startPostgres(), await startS3Server()];
  await s3.makeBucket('blobs');
  return {
    args: ['--database', await postgres.createDatabase(), '--blobstore', s3.address('blobs')],
    env: {
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET_KEY,
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    stop: async () => {
      await postgres.stop();
      await s3.stop();
    },
  };
}

function useServed(open: () => Promise<Stores>): () => Served {
  let served: Served | undefined;
  let close: () => Promise<void> = () => Promise.resolve();
  beforeAll(async () => {
    const [cli, stores] = [await Cli.make(), await open()];
    const registryPorts = [await freePort(), await freePort()] as const;
    const running = cli.start(['serve', '--port', '0', ...stores.args, '--json'], {
      env: {
        ...stores.env,
        STAGER_ADMIN_PASSWORD: PASSWORD,
        STAGER_ALLOW_HOSTS: registryPorts.map((port) => `127.0.0.1:${port}`).join('\n'),
      },
    });
    close = async () => {
      running.child.kill('SIGTERM');
      await running.ended;
      await stores.stop?.();
      await cli[Symbol.asyncDispose]();
    };
    let said = '';
    running.child.stdout?.on('data', (text: string) => {
      said += text;
    });
    await running.says(/"type":"listening".*\n/);
    served = { url: /"url":"([^"]+)"/.exec(said)?.[1] ?? '', dir: cli.dir, cli, registryPorts };
  });
  afterAll(() => close());
  return () => {
    if (served === undefined) throw new Error('the server did not start');
    return served;
  };
}

function s3Missing(): string | undefined {
  const found = spawnSync('sh', ['scripts/s3-server.sh'], { cwd: ROOT, encoding: 'utf8' });
  return found.status === 0 ? undefined : (found.stderr.trim().split('\n').at(-1) ?? 'no S3 server');
}

/** Packs a directory as clients do, with what is in it at the top. */
export function zipDirectory(directory: string, target: string): string {
  execFileSync('zip', ['-qr', target, '.'], { cwd: directory });
  return target;
}

/** A fixture of the repository. */
export function fixture(name: string): string {
  return join(ROOT, 'fixtures', name);
}

/** A token of admin. */
export async function signIn(url: string): Promise<string> {
  const form = new URLSearchParams({ grant_type: 'password', username: 'admin', password: PASSWORD });
  const headers = { authorization: `Basic ${btoa('cf:')}` };
  const answer = await fetch(`${url}/uaa/oauth/token`, { method: 'POST', body: form, headers });
  return z.object({ access_token: z.string() }).parse(await answer.json()).access_token;
}

/** One request; with a body it is a POST. Fails the test when it is refused. */
export async function ask(
  url: string,
  token: string,
  { path, body, method }: { readonly path: string; readonly body?: object; readonly method?: string },
): Promise<unknown> {
  const isForm = body instanceof FormData;
  const answer = await fetch(`${url}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      authorization: `bearer ${token}`,
      ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

/** The space `dev` of the organization `acme`. */
export async function createSpace(url: string, token: string): Promise<void> {
  const made = await ask(url, token, { path: '/v3/organizations', body: { name: 'acme' } });
  const { guid } = z.object({ guid: z.string() }).parse(made);
  const relationships = { organization: { data: { guid } } };
  await ask(url, token, { path: '/v3/spaces', body: { name: 'dev', relationships } });
}
