/** What the staticfile buildpack writes for nginx. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dir as tempDir } from 'tmp-promise';
import { describe, expect, it } from 'vitest';
import { completeTypes } from '../../buildpacks/staticfile/src/mime-types.ts';
import { nginxConf } from '../../buildpacks/staticfile/src/nginx-conf.ts';
import { readSettings } from '../../buildpacks/staticfile/src/settings.ts';

async function settings(text: string | Buffer, auth = false) {
  const { path, cleanup } = await tempDir({ unsafeCleanup: true });
  try {
    await writeFile(join(path, 'Staticfile'), text);
    if (auth) await writeFile(join(path, 'Staticfile.auth'), 'x:y');
    return await readSettings(path);
  } finally {
    await cleanup();
  }
}

describe('Staticfile', () => {
  it('may be UTF-16, as PowerShell writes it', async () => {
    const text = Buffer.from('\uFEFFpushstate: enabled\r\n', 'utf16le');
    expect(await settings(text)).toMatchObject({ pushstate: true, unknown: [] });
  });

  it('switches on what is enabled or true, and nothing else', async () => {
    expect(await settings('')).toMatchObject({
      root: '',
      directory: false,
      pushstate: false,
      basicAuth: false,
    });
    expect(
      await settings('ssi: enabled\npushstate: true\nforce_https: no\nhost_dot_files: maybe'),
    ).toMatchObject({
      ssi: true,
      pushstate: true,
      force_https: false,
      host_dot_files: false,
    });
    expect(await settings('directory: visible', true)).toMatchObject({ directory: true, basicAuth: true });
  });

  it.each([
    ['http_strict_transport_security: true', 'max-age=31536000"'],
    [
      'http_strict_transport_security: true\nhttp_strict_transport_security_include_subdomains: true\nhttp_strict_transport_security_preload: true',
      'max-age=31536000; includeSubDomains; preload"',
    ],
    ['enable_http2: true', 'listen @PORT@ http2;'],
    ['status_codes: {5xx: /e.html}', 'error_page 500 501 502'],
    ['status_codes: {404: /n.html}', 'error_page 404 /n.html;'],
    ['location_include: includes/*.conf', 'include includes/*.conf;'],
  ])('%s becomes %s', async (text, expected) => {
    expect(nginxConf(await settings(text))).toContain(expected);
  });

  it.each([
    ['- a\n- b', 'the Staticfile has to be an object; it is a list'],
    ['just words', 'the Staticfile has to be an object; it is the string "just words"'],
    ['root: 5', 'root has to be a string; it is the number 5. Write "5"'],
    ['pushstate: [enabled]', 'pushstate has to be a string or true or false; it is a list'],
    ['pushstate: 1', 'pushstate has to be a string or true or false; it is the number 1'],
    ['status_codes: /404.html', 'status_codes has to be an object; it is the string "/404.html"'],
    ['status_codes: {404: 1}', 'status_codes.404 has to be a string; it is the number 1'],
    ['location_include: {a: b}', 'location_include has to be a string; it is an object'],
    ['location_include: "a b"', 'location_include: must not contain'],
  ])('%s is told as such', async (text, expected) => {
    const failure = await settings(text).catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: expect.stringContaining(expected) });
    expect(String(failure)).not.toContain('Invalid input');
  });

  it('names options that nobody reads', async () => {
    expect((await settings('push_state: enabled\nssi: true')).unknown).toEqual(['push_state']);
  });

  it('has redirects that keep what the client asked for', async () => {
    expect(nginxConf(await settings(''))).toContain('absolute_redirect off;');
  });

  it('leaves the choices of the environment to the start', async () => {
    const conf = nginxConf(await settings(''));
    expect(conf).toMatch(/^@FORCE_HTTPS@ +if /m);
    expect(conf).toMatch(/^@ENABLE_HTTP2@ +listen @PORT@ http2;$/m);
    expect(nginxConf(await settings('force_https: true'))).not.toContain('@FORCE_HTTPS@');
  });

  it.each(['"/a b"', '"/a;b"', '"/a}"', '"/a#"', '"/a\'b"', '"/$a"'])(
    'refuses %s as a page, since nginx would read it as configuration',
    async (page) => {
      await expect(settings(`status_codes: {404: ${page}}`)).rejects.toThrow('status_codes.404');
    },
  );
});

describe('mime.types', () => {
  it('has what newer lists have, each ending once', () => {
    const list =
      'types {\n    application/javascript   js;\n    text/html html htm;\n    audio/x-matroska mkv;\n}\n';
    const text = completeTypes(list);
    for (const [ending, type] of [
      ['js', 'text/javascript'],
      ['mjs', 'text/javascript'],
      ['webmanifest', 'application/manifest+json'],
      ['map', 'application/json'],
      ['mkv', 'audio/x-matroska'],
    ]) {
      expect(text.match(new RegExp(`[\\w/+-]+(?= [^;]*\\b${ending}\\b)`, 'g')), ending).toEqual([type]);
    }
    expect(text.trimEnd().endsWith('}')).toBe(true);
  });
});
