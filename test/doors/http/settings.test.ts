import { expect, it } from 'vitest';
import { ROUTES } from '../../../src/doors/http/all-routes.ts';
import type { HttpSettings } from '../../../src/doors/http/route/service.ts';
import { createServer } from '../../../src/doors/http/server.ts';
import { type Api, describeApi } from './support/api.ts';
import { newApp, newDroplet } from './support/apps.ts';

/** The same service behind a server with other settings. */
async function serverWith({ service }: Api, changed: Partial<HttpSettings>) {
  const settings = { ...service.settings, ...changed };
  return await createServer({ ...service, settings }, { routes: ROUTES });
}

describeApi('a system domain', (api) => {
  const ask = async (host: string, url: string) => {
    const server = await serverWith(api(), { systemDomain: 'cf.test' });
    const reply = await server.inject({ method: 'GET', url, headers: { host } });
    await server.close();
    return { status: reply.statusCode, body: reply.json() };
  };

  it('gives each part its name, to whoever came to the API by its own', async () => {
    const { body } = await ask('api.cf.test:8484', '/');
    expect(body).toMatchObject({
      links: {
        cloud_controller_v3: { href: 'http://api.cf.test:8484/v3' },
        login: { href: 'http://login.cf.test:8484' },
        uaa: { href: 'http://uaa.cf.test:8484' },
        log_cache: { href: 'http://log-cache.cf.test:8484' },
        logging: { href: 'wss://api.cf.test:8484' },
      },
    });
  });

  it('keeps to paths for everybody else', async () => {
    const { body } = await ask('127.0.0.1:8484', '/');
    expect(body).toMatchObject({
      links: {
        login: { href: 'http://127.0.0.1:8484/uaa' },
        log_cache: { href: 'http://127.0.0.1:8484' },
      },
    });
  });

  it('has the sign-in at the root of its names, and nowhere else', async () => {
    for (const host of ['login.cf.test', 'uaa.cf.test:8484', 'LOGIN.cf.test']) {
      expect(await ask(host, '/login')).toMatchObject({ status: 200, body: { zone_name: 'uaa' } });
    }
    expect((await ask('api.cf.test', '/login')).status).toBe(404);
    expect((await ask('login.elsewhere.test', '/login')).status).toBe(404);
    expect((await ask('uaa.cf.test', '/uaa/info')).status).toBe(200);
  });
});

describeApi('start that is accepted', (api) => {
  it('is kept as what is wanted, with a warning, and waits for no instance', async () => {
    const app = await newApp(api());
    const server = await serverWith(api(), { acceptStart: true });
    const headers = { authorization: `bearer ${api().world.users.admin.token}`, host: 'cf.test' };
    const start = async (action: string) =>
      await server.inject({ method: 'POST', url: `/v3/apps/${app}/actions/${action}`, headers });
    expect((await start('start')).json()).toMatchObject({
      errors: [{ detail: 'Assign a droplet before starting this app.' }],
    });
    const body = { data: { guid: await newDroplet(api(), app) } };
    await api().ask('PATCH', `/v3/apps/${app}/relationships/current_droplet`, { body });
    for (const action of ['start', 'restart']) {
      const started = await start(action);
      expect(started.json()).toMatchObject({ state: 'STARTED' });
      expect(decodeURIComponent(String(started.headers['x-cf-warnings']))).toContain('in name only');
    }
    await server.close();
    const stats = await api().ask('GET', `/v3/apps/${app}/processes/web/stats`);
    expect(stats.body).toEqual({ resources: [] });
  });
});
