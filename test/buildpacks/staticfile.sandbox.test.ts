/** The staticfile buildpack: real nginx of Debian's packages, one behaviour of the Staticfile a test. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';

const BOOT = '$HOME/boot.sh';

/** A staged site of these files. */
async function site(files: Record<string, string>): Promise<Driver> {
  const app = await Driver.of('static-site');
  await rm(app.at('app'), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(app.at('app', name)), { recursive: true });
    await writeFile(app.at('app', name), text);
  }
  const staged = await app.stage('staticfile');
  expect(staged, staged.output).toMatchObject({ code: 0 });
  return app;
}

async function get(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers, redirect: 'manual' });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

describe('staticfile buildpack', () => {
  it('serves the fixture site with listing, ssi, own error page, include and strict transport', async () => {
    await using app = await Driver.of('static-site');
    const staged = await app.stage('staticfile');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(readFileSync(app.at('deps/0/launch.yml'), 'utf8')).toContain('$HOME/boot.sh');
    const run = await app.launch(BOOT, async (url) => {
      const home = await get(`${url}/`);
      expect(home.body).toContain('Hello from nginx on stager');
      expect(home.body).toContain('<p>included by ssi</p>');
      expect(home.headers.get('strict-transport-security')).toBe('max-age=31536000');
      expect(home.headers.get('x-from-include')).toBe('yes');
      expect((await get(`${url}/files/`)).body).toContain('site.css');
      expect((await get(`${url}/files/site.css`)).headers.get('content-type')).toContain('text/css');
      expect(await get(`${url}/missing`)).toMatchObject({
        status: 404,
        body: expect.stringContaining('says the site itself'),
      });
      for (const secret of ['/.hidden', '/notes.txt', '/Staticfile', '/nginx/conf/nginx.conf', '/boot.sh']) {
        expect((await get(url + secret)).status, secret).toBe(404);
      }
    });
    expect(run.code, run.output).toBe(0);
    expect(run.output).toContain('"GET /files/site.css HTTP/1.1" 200');
  });

  it('serves the app itself without root, and lists nothing by default', async () => {
    await using app = await site({
      Staticfile: '',
      'index.html': 'home',
      'dir/a.txt': 'a',
      'manifest.yml': 'secret',
    });
    await app.launch(BOOT, async (url) => {
      expect((await get(url)).body).toBe('home');
      expect((await get(`${url}/dir/`)).status).toBe(403);
      expect((await get(`${url}/manifest.yml`)).status).toBe(404);
      expect((await get(`${url}/index.html`)).body).not.toContain('#include');
    });
  });

  it('answers every unknown path with the start page when pushstate is enabled', async () => {
    await using app = await site({ Staticfile: 'pushstate: enabled', 'index.html': 'home', 'a.txt': 'a' });
    await app.launch(BOOT, async (url) => {
      expect(await get(`${url}/some/view`)).toMatchObject({ status: 200, body: 'home' });
      expect((await get(`${url}/a.txt`)).body).toBe('a');
    });
  });

  it('asks for the password of Staticfile.auth', async () => {
    // nginx's own {PLAIN} scheme: user "bob", password "secret".
    await using app = await site({
      Staticfile: '',
      'Staticfile.auth': 'bob:{PLAIN}secret\n',
      'index.html': 'home',
    });
    await app.launch(BOOT, async (url) => {
      expect((await get(url)).status).toBe(401);
      const wrong = `Basic ${Buffer.from('bob:guess').toString('base64')}`;
      expect((await get(url, { authorization: wrong })).status).toBe(401);
      const right = `Basic ${Buffer.from('bob:secret').toString('base64')}`;
      expect(await get(url, { authorization: right })).toMatchObject({ status: 200, body: 'home' });
    });
  });

  it('redirects to https by option, and by FORCE_HTTPS of the environment', async () => {
    const forwarded = { 'x-forwarded-host': 'site.example, inner', 'x-forwarded-proto': 'http' };
    const expected = { status: 301 };
    await using app = await site({ Staticfile: 'force_https: true', 'index.html': 'home' });
    await app.launch(BOOT, async (url) => {
      const answer = await get(`${url}/a?b=c`, forwarded);
      expect(answer).toMatchObject(expected);
      expect(answer.headers.get('location')).toBe('https://site.example/a?b=c');
      expect((await get(url, { 'x-forwarded-proto': 'https' })).body).toBe('home');
    });
    await using plain = await site({ Staticfile: '', 'index.html': 'home' });
    await plain.launch(BOOT, async (url) => expect((await get(url, forwarded)).status).toBe(200));
    const forced = { FORCE_HTTPS: 'true' };
    await plain.launch(
      BOOT,
      async (url) => expect(await get(url, forwarded)).toMatchObject(expected),
      forced,
    );
  });

  it('redirects to directories where the client is, and knows the types that browsers insist on', async () => {
    await using app = await site({
      Staticfile: '',
      'sub/index.html': 'sub',
      'a.mjs': '',
      'a.webmanifest': '{}',
      'a.js.map': '{}',
      'a.js': '',
    });
    await app.launch(BOOT, async (url) => {
      const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'site.example:8443' };
      for (const headers of [{}, forwarded]) {
        const answer = await get(`${url}/sub`, headers);
        expect(answer.status).toBe(301);
        expect(answer.headers.get('location')).toBe('/sub/');
      }
      for (const [name, type] of [
        ['a.mjs', 'text/javascript; charset=utf-8'],
        ['a.js', 'text/javascript; charset=utf-8'],
        ['a.webmanifest', 'application/manifest+json'],
        ['a.js.map', 'application/json'],
      ]) {
        expect((await get(`${url}/${name}`)).headers.get('content-type'), name).toBe(type);
      }
    });
  });

  it.each([
    [
      'a directive that does not exist',
      { 'nginx/conf/x.conf': 'add_headers A b;' },
      'unknown directive "add_headers"',
    ],
    ['a file that is not there', {}, 'x.conf" failed (2: No such file or directory)'],
  ])('fails a staging whose include has %s', async (_what, files, reason) => {
    await using app = await site({ Staticfile: '' });
    for (const [name, text] of Object.entries({ Staticfile: 'location_include: x.conf', ...files })) {
      await writeFile(app.at('app', name), text);
    }
    const staged = await app.stage('staticfile');
    expect(staged.code).toBe(1);
    expect(staged.output).toContain('**ERROR** nginx does not accept the configuration');
    expect(staged.output).toContain(reason);
  });

  it('serves dot files only when asked to, and groups of status codes with one page', async () => {
    await using app = await site({
      Staticfile: 'host_dot_files: true\nstatus_codes: {4xx: /oops.html}',
      '.well-known/id': 'id',
      'oops.html': 'oops',
    });
    await app.launch(BOOT, async (url) => {
      expect((await get(`${url}/.well-known/id`)).body).toBe('id');
      expect(await get(`${url}/missing`)).toMatchObject({ status: 404, body: 'oops' });
    });
  });

  it('#45 downloads nothing that an earlier staging with the same cache has', async () => {
    await using app = await site({ Staticfile: '' });
    const again = await app.stage('staticfile');
    expect(again).toMatchObject({
      code: 0,
      output: expect.stringContaining('Using nginx of the last staging'),
    });
    expect(again.output).not.toContain('Downloading');
  });

  it('can be started again in the same place', async () => {
    await using app = await site({ Staticfile: '', 'index.html': 'home' });
    for (const _ of [1, 2]) {
      const run = await app.launch(BOOT, async (url) => expect((await get(url)).body).toBe('home'));
      expect(run.code, run.output).toBe(0);
    }
  });

  it('takes the newest package of the signed index when the mirror dropped the pinned one', async () => {
    await using app = await Driver.of('static-site');
    const staged = await app.stage('staticfile');
    expect(staged.code).toBe(0);
    // A buildpack whose pins are of a version that never existed.
    await using other = await Driver.of('static-site');
    const copy = other.at('old-buildpack');
    await (await import('node:fs/promises')).cp('buildpacks/staticfile', copy, { recursive: true });
    const manifest = readFileSync(`${copy}/manifest.yml`, 'utf8');
    await writeFile(
      `${copy}/manifest.yml`,
      manifest.replaceAll(/nginx_1\.22\.1-9\+deb12u\d+/g, 'nginx_1.22.0-0'),
    );
    const again = await other.stage(copy);
    expect(again, again.output).toMatchObject({ code: 0 });
    expect(again.output).toContain('**WARNING** The mirror no longer has nginx_1.22.0-0_amd64.deb');
    expect(existsSync(other.at('deps/0/nginx/sbin/nginx'))).toBe(true);
  });

  it.each([
    ['root: ../..', 'outside the app'],
    ['root: nowhere', 'does not exist'],
    ['status_codes: {404: "/x; evil on"}', 'status_codes.404: must not contain'],
    ['status_codes: {hello: /x}', 'status_codes.hello'],
    ['location_include: "a b"', 'location_include: '],
    ['pushstate: [', "can't be read"],
  ])('refuses %s', async (text, reason) => {
    await using app = await Driver.of('static-site');
    await writeFile(app.at('app/Staticfile'), text);
    const staged = await app.stage('staticfile');
    expect(staged.code).toBe(1);
    expect(staged.output).toContain(reason);
  });

  it('is detected by its Staticfile only', async () => {
    await using app = await Driver.of('static-site');
    expect((await app.detect('staticfile')).output).toMatch(/^staticfile \d/);
    await using other = await Driver.of('express');
    expect(await other.detect('staticfile')).toMatchObject({ code: 1, output: 'no Staticfile\n' });
  });
});
