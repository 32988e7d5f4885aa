import { describe, expect, it } from 'vitest';
import { createLog } from '../../buildpacks/kit/log.ts';
import { loadManifest, resolve } from '../../buildpacks/kit/manifest.ts';
import { parseConfig, readConfig } from '../../buildpacks/nginx/src/config.ts';
import { chooseNginx, readSettings } from '../../buildpacks/nginx/src/settings.ts';
import {
  demandForeground,
  demandPort,
  modulesOf,
  templateOf,
  withDefaults,
} from '../../buildpacks/nginx/src/template.ts';
import { type AppFiles, withAppFiles } from '../support/app-files.ts';

const manifest = await loadManifest('buildpacks/nginx');

/** All that supply does before it installs anything. */
async function read(files: AppFiles): Promise<string> {
  return await withAppFiles(files, async (path) => {
    const settings = await readSettings(path);
    const config = await readConfig(path);
    const modules = modulesOf(config);
    demandPort(config);
    demandForeground(config);
    const nginx = chooseNginx(
      {
        manifest,
        env: { CF_STACK: 'host' },
        log: createLog(() => undefined),
        choose: (name, range) =>
          resolve(manifest, name, range ?? '1.26.x', { stack: 'host', arch: process.arch }),
      },
      settings.version,
    );
    const texts = [...config.files].map(([file, text]) =>
      templateOf(withDefaults(text, file, config), file, {
        plain: settings.plain,
        loadModule: (name) => `load ${name};`,
      }),
    );
    return [nginx.version, [...modules.keys()].join(), ...texts].join('\n');
  });
}

const SITE = 'events {}\nhttp {\n  server { listen {{port}}; }\n}\n';
const nginx = (yaml: string): AppFiles => ({ 'nginx.conf': SITE, 'buildpack.yml': yaml });

describe('nginx.conf', () => {
  it('gets what it leaves out, in lines that are there', async () => {
    const text = await read({ 'nginx.conf': SITE });
    expect(text).toContain(
      'daemon off; pid {{tmp}}/nginx.pid; error_log stderr; events {}\nhttp { access_log /dev/stdout;',
    );
    expect(text).toContain('\n  server { listen {{port}}; }\n');
    const own = await read({
      'nginx.conf': `daemon off; pid x;\n${SITE.replace('http {', 'http { access_log off;')}`,
    });
    expect(own).toContain('\nerror_log stderr; daemon off; pid x;');
    expect(own).not.toContain('access_log /dev/stdout');
  });

  it('has the words of Cloud Foundry, in included files too', async () => {
    const text = await read({
      'nginx.conf': '{{module "ngx_stream_module"}}\nhttp { include conf.d/*.conf; }\n',
      'conf.d/a.conf': 'server { listen {{ .Port }}; return 200 "{{env "A"}}{{env `B`}}{{nameservers}}"; }',
      'conf.d/skipped.txt': '{{oops}}',
      'buildpack.yml': 'nginx: { plaintext_env_vars: [B] }',
    });
    expect(text).toMatch(/^1\.26\.\d+\nngx_stream_module\n/);
    expect(text).toContain('load ngx_stream_module;');
    expect(text).toContain('listen {{port}}; return 200 "{{env:A}}{{plain:B}}{{nameservers}}"');
  });

  it('is read with quotes, comments, variables and Lua', () => {
    const text =
      '# {\nhttp { # }\n  log_format a "x;{" \'y}\';\n  content_by_lua_block { if a { b = 1 } }\n  map $a $b { ~^/(a+)$ "1"; }\n}\n';
    const names = parseConfig(text, 'x').map(
      ({ name, line, within }) => `${within.join('/')}:${name}:${line}`,
    );
    expect(names).toEqual([
      ':http:2',
      'http:log_format:3',
      'http:content_by_lua_block:4',
      'http:map:5',
      'http/map:~^/(a+)$:5',
    ]);
  });
});

describe('the version of nginx', () => {
  it.each([
    ['nginx: { version: stable }', /^1\.26\./],
    ['nginx: { version: mainline }', /^1\.31\./],
    ['nginx: { version: 1.22.x }', /^1\.22\./],
    ['nginx: { version: ">=1.26 <1.30" }', /^1\.26\./],
    ['\uFEFFnginx:\r\n  version: 1.26.x\r\n', /^1\.26\./],
    ['nginx:', /^1\.26\./],
    ['other: {}', /^1\.26\./],
  ])('comes from %j', async (yaml, expected) => {
    expect(await read(nginx(yaml))).toMatch(expected);
  });
});

describe('an app', () => {
  it.each<[string, AppFiles, string]>([
    [
      'a version that there is not',
      nginx('nginx: { version: 1.99.x }'),
      'no nginx version matches "1.99.x". Available: 1.31.',
    ],
    [
      'a version that is none',
      nginx('nginx: { version: newest }'),
      '"newest" is not a version range for nginx',
    ],
    [
      'a number as version',
      nginx('nginx: { version: 1.26 }'),
      'nginx.version has to be a string; it is the number 1.26',
    ],
    ['OpenResty', nginx('nginx: { dist: openresty }'), 'asks for dist: openresty'],
    [
      'a word for a list',
      nginx('nginx: { plaintext_env_vars: A }'),
      'nginx.plaintext_env_vars has to be a list',
    ],
    ['broken YAML', nginx('nginx: ['), "can't be read"],
    ['a list for options', nginx('nginx: [1]'), 'nginx has to be an object'],
    [
      'a fixed port',
      { 'nginx.conf': 'http {\n server {\n  listen 8080;\n }\n}' },
      'nginx.conf:3: listen 8080;',
    ],
    ['no listen at all', { 'nginx.conf': 'http {}' }, 'no {{port}} in nginx.conf'],
    ['an empty file', { 'nginx.conf': '' }, 'no {{port}} in nginx.conf'],
    ['a word that there is not', { 'nginx.conf': 'a;\n{{host}}\n' }, 'nginx.conf:2: {{host}} is not a word'],
    ['a condition', { 'nginx.conf': '{{if eq 1 1}}' }, 'nginx.conf:1: {{if eq 1 1}} is not a word'],
    ['a variable without a name', { 'nginx.conf': '{{env}}' }, '{{env}} needs a name in quotes'],
    ['a variable without quotes', { 'nginx.conf': '{{env PORT}}' }, '{{env PORT}} is not a word'],
    ['a module with a path', { 'nginx.conf': '{{module "../x"}}' }, '{{module "../x"}} needs a name'],
    ['a port with a name', { 'nginx.conf': '{{port "x"}}' }, '{{port "x"}} takes no name'],
    [
      'a wrong word in an include',
      { 'nginx.conf': 'include b.conf;', 'b.conf': '\n\n{{x}}' },
      'b.conf:3: {{x}}',
    ],
    [
      'a block without end',
      { 'nginx.conf': 'http {\n server {\n }\n' },
      'nginx.conf:1: the { of http is never closed',
    ],
    ['an end too many', { 'nginx.conf': 'http {\n}\n}\n' }, 'nginx.conf:3: this } closes nothing'],
    ['a quote without end', { 'nginx.conf': 'a "b;\nc' }, "nginx.conf:1: nginx can't read this"],
    [
      'a daemon',
      { 'nginx.conf': `daemon on;\n${SITE}` },
      'nginx.conf:1: daemon on sends nginx to the background',
    ],
    ['merge conflicts', { 'nginx.conf': '<<<<<<< HEAD\n' }, 'nginx.conf has unresolved merge conflicts'],
    ['a folder for a file', { 'nginx.conf/x': '' }, 'nginx.conf is a directory'],
  ])('with %s is refused in a sentence', async (_what, files, message) => {
    const failure = await read(files).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'BuildpackFailure', message: expect.stringContaining(message) });
    expect(String(failure)).not.toContain('Invalid input');
  });
});
