/** Two client libraries, and curl: create, upload, stage, follow and download with each. */
import { execFile, spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { beforeAll, expect, it } from 'vitest';
import {
  ask,
  createSpace,
  describeServed,
  notRun,
  PASSWORD,
  signIn,
  zipDirectory,
} from '../support/served.ts';

const run = promisify(execFile);
const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

/** How to start a client, or why that can't be done. */
type Program = { readonly command: string; readonly args: readonly string[] } | { readonly missing: string };

const SECRET = 'of-the-job';
const NO_JQ = spawnSync('jq', ['--version']).error !== undefined;

const CLIENTS = {
  'cloudfoundry-client': python(),
  'go-cfclient': go(),
} as const;

describeServed('clients that nobody here wrote', (served) => {
  let bits = '';
  beforeAll(async () => {
    const { url, cli, dir } = served();
    const token = await signIn(url);
    await createSpace(url, token);
    const body = {
      client_id: 'ci',
      client_secret: SECRET,
      authorized_grant_types: ['client_credentials'],
      authorities: ['cloud_controller.admin'],
    };
    await ask(url, token, { path: '/uaa/oauth/clients', body });
    bits = zipDirectory(await cli.app('app', { 'index.html': 'hi', Staticfile: '' }), join(dir, 'app.zip'));
  });

  for (const [name, program] of Object.entries(CLIENTS)) {
    if ('missing' in program) {
      notRun(name, program.missing);
      continue;
    }
    it(`${name} stages an app and downloads the droplet`, async () => {
      const { url, dir } = served();
      const target = join(dir, `${name}.tgz`);
      const args = [...program.args, url, 'admin', PASSWORD, 'dev', name, bits, target];
      const { stdout } = await run(program.command, args);
      expect(JSON.parse(stdout)).toEqual(expect.objectContaining({ state: 'STAGED' }));
      if (name === 'cloudfoundry-client') {
        expect(JSON.parse(stdout)).toMatchObject({ last: 'Staging complete', listed: true });
      } else expect(JSON.parse(stdout)).toMatchObject({ current: true });
      expect(gunzipSync(await readFile(target)).includes('./app/')).toBe(true);
    });
  }

  if (NO_JQ) {
    notRun('the job of docs/http.md', 'jq is needed');
    return;
  }
  it('the job of docs/http.md does the same with curl and jq, and says why it could not', async () => {
    const { url, dir } = served();
    const page = await readFile(join(ROOT, 'docs/http.md'), 'utf8');
    const job = /```sh\n([\s\S]*?)```/.exec(page)?.[1]?.replace('http://127.0.0.1:8484', url) ?? '';
    const options = { cwd: dir, env: { ...process.env, CLIENT_SECRET: SECRET } };
    const { stdout } = await run('sh', ['-c', job], options);
    expect(stdout).toMatch(/staticfile buildpack[\s\S]*Staging complete\n$/);
    expect(gunzipSync(await readFile(join(dir, 'droplet.tgz'))).includes('./app/')).toBe(true);
    await writeFile(join(dir, 'app.zip'), 'no zip');
    await expect(run('sh', ['-c', job], options)).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining("can't be read as a zip"),
    });
  });
});

function python(): Program {
  const made = script('venv.sh', ['cloudfoundry-client', '1.40.4']);
  if (made.status !== 0) return { missing: lastLine(made.stderr) };
  return { command: join(made.stdout.trim(), 'bin/python'), args: [join(HERE, 'stage.py')] };
}

/** Built with the versions of go.sum, into the cache of the tests. */
function go(): Program {
  const command = join(ROOT, '.cache/go-cfclient/stage');
  const made = spawnSync('go', ['build', '-o', command, '.'], {
    cwd: join(HERE, 'go-cfclient'),
    encoding: 'utf8',
  });
  if (made.error !== undefined) return { missing: 'Go is needed' };
  return made.status === 0 ? { command, args: [] } : { missing: lastLine(made.stderr) };
}

function script(name: string, args: readonly string[]) {
  return spawnSync('sh', [join(ROOT, 'scripts', name), ...args], { encoding: 'utf8' });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
