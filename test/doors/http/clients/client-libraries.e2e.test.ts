/** Two client libraries that nobody here wrote: create, upload, stage, follow and download with each. */
import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { beforeAll, expect, it } from 'vitest';
import {
  createSpace,
  describeServed,
  notRun,
  PASSWORD,
  type Served,
  signIn,
  zipDirectory,
} from '../support/served.ts';

const run = promisify(execFile);
const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

/** How to start a client, or why that can't be done. */
type Program = { readonly command: string; readonly args: readonly string[] } | { readonly missing: string };

const CLIENTS = {
  'cloudfoundry-client of PyPI': python(),
  'go-cfclient': go(),
} as const;

for (const [name, program] of Object.entries(CLIENTS)) {
  if ('missing' in program) notRun(name, program.missing);
  else {
    describeServed(name, (served) => {
      let bits = '';
      beforeAll(async () => {
        await createSpace(served().url, await signIn(served().url));
        bits = zipDirectory(
          await served().cli.app('app', { 'index.html': 'hi', Staticfile: '' }),
          zipIn(served()),
        );
      });

      it('stages an app and downloads the droplet', async () => {
        const { url, dir } = served();
        const target = join(dir, 'droplet.tgz');
        const args = [...program.args, url, 'admin', PASSWORD, 'dev', 'by-library', bits, target];
        const { stdout } = await run(program.command, args);
        expect(JSON.parse(stdout)).toEqual(expect.objectContaining({ state: 'STAGED' }));
        if (name.includes('PyPI')) {
          expect(JSON.parse(stdout)).toMatchObject({ last: 'Staging complete', listed: true });
        } else expect(JSON.parse(stdout)).toMatchObject({ current: true });
        expect(gunzipSync(await readFile(target)).includes('./app/')).toBe(true);
      });
    });
  }
}

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

function zipIn({ dir }: Served): string {
  return join(dir, 'app.zip');
}
