import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listening, type ServeOptions, serve } from '../../../src/doors/http/serve.ts';

describe('serve', () => {
  let data: string;
  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'stager-serve-'));
  });
  afterAll(async () => {
    await rm(data, { recursive: true, force: true });
  });

  const options = (over: Partial<ServeOptions> = {}): ServeOptions => ({
    host: '127.0.0.1',
    port: 0,
    data,
    insecureHttp: false,
    version: '0.0.0',
    stacks: [{ name: 'cflinuxfs4', isDefault: true }],
    ...over,
  });

  async function start(over: Partial<ServeOptions> = {}) {
    const end = new AbortController();
    const { promise: facts, resolve: listening, reject } = Promise.withResolvers<Listening>();
    const ended = serve(options(over), { signal: end.signal, listening });
    ended.catch(reject);
    const stop = async (): Promise<void> => {
      end.abort();
      await ended;
    };
    return { ...(await facts), stop };
  }

  const signIn = async (url: string, password: string): Promise<number> => {
    const response = await fetch(`${url}/uaa/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('cf:').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'password', username: 'admin', password }),
    });
    return response.status;
  };

  it('makes up a password once, keeps its state over a restart, and takes a given password', async () => {
    const first = await start();
    const password = first.adminPassword ?? '';
    expect(password.length).toBeGreaterThan(20);
    expect(await signIn(first.url, password)).toBe(200);
    // One process a directory.
    await expect(start()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('in use by another process'),
    });
    await first.stop();
    const second = await start();
    expect(second.adminPassword).toBeUndefined();
    expect(await signIn(second.url, password)).toBe(200);
    await second.stop();
    const third = await start({ adminPassword: 'of my own' });
    expect(await signIn(third.url, 'of my own')).toBe(200);
    expect(await signIn(third.url, password)).toBe(401);
    await third.stop();
  });

  it('does not send passwords in the clear beyond this machine unless told to', async () => {
    await expect(start({ host: '0.0.0.0' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      next: expect.stringContaining('--insecure-http'),
    });
  });

  it('says that a port is taken, and that a certificate is not one', async () => {
    const first = await start();
    const port = Number(new URL(first.url).port);
    const other = await mkdtemp(join(tmpdir(), 'stager-serve-'));
    await expect(start({ port, data: other })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await first.stop();
    await expect(
      start({ tls: { certFile: '/nonexistent/cert.pem', keyFile: '/nonexistent/key.pem' } }),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await rm(other, { recursive: true, force: true });
  });
});
