import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { type Api, describeApi, guidIn } from '../support/api.ts';
import { newApp, newDroplet } from '../support/apps.ts';
import { emptyPackage, form, readyPackage, staged } from '../support/builds.ts';
import { ACCEPT, browserOf, cookieOf } from './browser.ts';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

const PASSWORD = 'correct horse';

async function newUser(api: Api): Promise<string> {
  const name = `user-${crypto.randomUUID()}`;
  await api.ask('POST', '/uaa/Users', { body: { userName: name, password: PASSWORD } });
  return name;
}

const signedIn = async (api: Api, username: string) =>
  browserOf(api.url, await cookieOf(api.service, username));

describeApi('the page', (api) => {
  it('is what a browser finds at /, where programs find the API as before', async () => {
    const browser = await browserOf(api().url).open('/');
    expect(browser.status).toBe(303);
    for (const accept of ['application/json', '*/*', 'application/json, text/html', undefined]) {
      const { status, body } = await api().ask('GET', '/', {
        as: 'nobody',
        headers: accept === undefined ? {} : { accept },
      });
      expect({ accept, status, links: typeof body['links'] }).toEqual({
        accept,
        status: 200,
        links: 'object',
      });
    }
  });

  it('says on a page that there is none, and to programs in JSON', async () => {
    const [browser, own] = [browserOf(api().url), await signedIn(api(), await newUser(api()))];
    for (const who of [browser, own]) {
      const { status, text, headers } = await who.open('/nowhere/<b>');
      expect(status).toBe(404);
      expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'/);
      expect(text).toContain('There is no page');
      expect(text).not.toContain('<b>');
    }
    for (const path of ['/v3/nowhere', '/v2/nowhere', '/uaa/nowhere', '/stager/v1/nowhere']) {
      const { status, headers } = await browser.open(path);
      expect([path, status, headers.get('content-type')]).toEqual([
        path,
        404,
        expect.stringContaining('application/json'),
      ]);
    }
    expect((await browser.open('/nowhere', { accept: '*/*' })).headers.get('content-type')).toContain('json');
  });

  it('signs in with the users of the endpoint, and goes on to where somebody wanted to go', async () => {
    const username = await newUser(api());
    const browser = browserOf(api().url);
    const first = await browser.open('/?page=2');
    expect(first.headers.get('location')).toBe('/sign-in?next=%2Fapps%3Fpage%3D2');
    expect((await browser.open('/sign-in?next=/apps?page=2')).text).toContain('value="/apps?page&#61;2"');
    const answer = await browser.send('/sign-in', { username, password: PASSWORD, next: '/apps?page=2' });
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe('/apps?page=2');
    expect(answer.headers.get('set-cookie')).toMatch(
      /^stager=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    );
    const page = await browser.open('/');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self'/,
    );
    expect(page.headers.get('content-security-policy')).not.toContain('unsafe');
    expect(page.text).toContain(username);
  });

  it('gives a cookie for https alone where that is how it is reached', async () => {
    const settings = api().service.settings;
    expect(settings.publicUrl).toBeUndefined();
    const { cookieFor } = await import('../../../../src/doors/http/page/session.ts');
    expect(cookieFor('https://api.example.com', 'x')).toMatch(/^__Host-stager=x; Path=\/; .*; Secure$/);
  });

  it('refuses a wrong password with the name kept, and goes nowhere else afterwards', async () => {
    const username = await newUser(api());
    const browser = browserOf(api().url);
    const wrong = await browser.send('/sign-in', { username, password: 'x' });
    expect(wrong.status).toBe(403);
    expect(wrong.text).toContain('The user name or password is wrong.');
    expect(wrong.text).toContain(`value="${username}"`);
    for (const next of [
      'https://evil.example/',
      '//evil.example',
      '/\\evil.example',
      'javascript:alert(1)',
    ]) {
      const { headers } = await browser.send('/sign-in', { username, password: PASSWORD, next });
      expect(headers.get('location')).toBe('/');
    }
  });

  it('takes forms from its own pages only', async () => {
    const username = await newUser(api());
    const browser = browserOf(api().url);
    const form = { username, password: PASSWORD };
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: '' },
      { 'sec-fetch-site': 'cross-site' },
    ]) {
      expect((await browser.send('/sign-in', form, headers)).status).toBe(403);
    }
    await browser.send('/sign-in', form);
    expect((await browser.send('/sign-out', { form_token: 'x' })).status).toBe(403);
    const [, token = ''] = /name="form_token" value="([^"]+)"/.exec((await browser.open('/')).text) ?? [];
    const out = await browser.send('/sign-out', { form_token: token });
    expect(out.headers.get('set-cookie')).toMatch(/^stager=; Path=\/; Max-Age=0;/);
  });

  it('is over when somebody signs out, or gets another password', async () => {
    const username = await newUser(api());
    const { body } = await api().ask(
      'GET',
      `/uaa/Users?filter=${encodeURIComponent(`userName eq "${username}"`)}`,
    );
    const cookie = await cookieOf(api().service, username);
    const browser = browserOf(api().url, cookie);
    const { text } = await browser.open('/');
    const [, token = ''] = /name="form_token" value="([^"]+)"/.exec(text) ?? [];
    await browser.send('/sign-out', { form_token: token });
    expect((await browserOf(api().url, cookie).open('/')).status).toBe(303);
    const other = await cookieOf(api().service, username);
    expect((await browserOf(api().url, other).open('/')).status).toBe(200);
    const [user] = Array.isArray(body['resources']) ? body['resources'] : [];
    await api().ask('PUT', `/uaa/Users/${user.id}/password`, { body: { password: 'another one' } });
    expect((await browserOf(api().url, other).open('/')).status).toBe(303);
  });

  it('does not let a cookie speak to the API', async () => {
    const cookie = await cookieOf(api().service, 'admin');
    expect((await api().ask('GET', '/v3/apps', { as: 'nobody', headers: { cookie } })).status).toBe(401);
  });

  it('asks again by itself where a link from elsewhere kept the cookie back', async () => {
    const answer = await browserOf(api().url).open('/', { 'sec-fetch-site': 'cross-site' });
    expect(answer.headers.get('refresh')).toBe('0');
  });

  it('shows what the API shows: what is in another space is not found', async () => {
    const app = await newApp(api(), { name: 'shop' });
    const reply = await staged(api(), await readyPackage(api(), app));
    const build = guidIn(reply);
    const droplet = await newDroplet(api(), app);
    const developer = await signedIn(api(), 'space_developer');
    const outsider = await signedIn(api(), 'outsider');
    expect((await developer.open('/')).text).toContain('shop');
    expect((await outsider.open('/')).text).not.toContain('shop');
    for (const path of [
      `/apps/${app}`,
      `/builds/${build}`,
      `/builds/${build}/lines?follow=false`,
      `/droplets/${droplet}`,
      `/droplets/${droplet}/diff?from=${droplet}`,
    ]) {
      expect({ path, status: (await developer.open(path)).status }).toEqual({ path, status: 200 });
      expect({ path, status: (await outsider.open(path)).status }).toEqual({ path, status: 404 });
      expect({ path, status: (await browserOf(api().url).open(path)).status }).toEqual({ path, status: 303 });
    }
  });

  it('compares with no droplet that somebody can not see', async () => {
    const droplet = await newDroplet(api(), await newApp(api()));
    const relationships = { space: { data: { guid: api().world.otherSpace } } };
    const other = await newDroplet(api(), await newApp(api(), { relationships }));
    const developer = await signedIn(api(), 'space_developer');
    expect((await developer.open(`/droplets/${droplet}/diff?from=${other}`)).status).toBe(404);
    expect((await developer.open(`/droplets/${other}/diff?from=${droplet}`)).status).toBe(404);
  });

  it('shows the queue to whoever reads the platform, and says no to others', async () => {
    const statusFor = async (username: string) =>
      (await (await signedIn(api(), username)).open('/queue')).status;
    expect(await statusFor('admin')).toBe(200);
    expect(await statusFor('admin_read_only')).toBe(200);
    expect(await statusFor('space_developer')).toBe(403);
    expect((await (await signedIn(api(), 'space_developer')).open('/')).text).not.toContain('/queue');
  });

  it('says how much of a package was not sent', async () => {
    const app = await newApp(api(), { name: 'frugal' });
    const text = 'x'.repeat(100_000);
    await readyPackage(api(), app, { 'large.txt': text });
    const guid = await emptyPackage(api(), app);
    const matched = [
      { checksum: { value: sha1(text) }, size_in_bytes: text.length, path: 'large.txt', mode: '644' },
    ];
    await api().ask('POST', `/v3/packages/${guid}/upload`, { body: form({ resources: matched }) });
    await api().service.jobs.idle();
    const shown = (await (await signedIn(api(), 'space_developer')).open('/saved')).text;
    const row = shown.split('<tr>').find((each) => each.includes('frugal')) ?? '';
    const [whole = 0, sent = 0, saved = 0] = [...row.matchAll(/<data value="(\d+)"/g)].map(([, value]) =>
      Number(value),
    );
    expect({ whole, saved }).toEqual({ whole: 200_000, saved: 200_000 - sent });
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(1000);
    expect((await (await signedIn(api(), 'outsider')).open('/saved')).text).not.toContain('frugal');
  });

  it('shows start commands to whoever may read them', async () => {
    const app = await newApp(api());
    await api().ask('PATCH', `/v3/apps/${app}/processes/web`, { body: { command: 'run --key=secret' } });
    const commandFor = async (username: string) =>
      (await (await signedIn(api(), username)).open(`/apps/${app}`)).text.includes('run --key&#61;secret');
    expect(await commandFor('space_developer')).toBe(true);
    expect(await commandFor('space_auditor')).toBe(false);
  });

  it('shows the log without a script: the end, a window around a line, and what is looked for', async () => {
    const app = await newApp(api(), { environment_variables: { FAKE_LINES: '1200' } });
    const build = guidIn(await staged(api(), await readyPackage(api(), app)));
    const browser = await signedIn(api(), 'space_auditor');
    const end = (await browser.open(`/builds/${build}`)).text;
    expect(end).toContain('line 1200');
    expect(end).not.toContain('>line 12<');
    const linked = (await browser.open(`/builds/${build}?line=12`)).text;
    expect(linked).toContain('id="L12"');
    const found = (await browser.open(`/builds/${build}?q=LINE+77`)).text;
    expect(found.match(/<mark>line 77<\/mark>/g)).toHaveLength(11);
    expect(found).toContain('11 lines with “LINE 77”');
  });

  it('is sent compressed to whoever takes that', async () => {
    const cookie = await cookieOf(api().service, 'admin');
    const headers = { cookie, accept: ACCEPT, 'accept-encoding': 'gzip' };
    const answer = await fetch(`${api().url}/`, { headers });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(await answer.text()).toContain('<h1>Apps</h1>');
  });

  it('gives style and script at addresses of their content, to be kept', async () => {
    const { text } = await browserOf(api().url).open('/sign-in');
    const paths = [...text.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(paths).toHaveLength(3);
    for (const path of paths) {
      const { status, headers } = await browserOf(api().url).open(path);
      expect(status).toBe(200);
      expect(headers.get('cache-control')).toContain('immutable');
    }
    expect((await browserOf(api().url).open('/assets/000000000000/page.js')).status).toBe(404);
  });
});
