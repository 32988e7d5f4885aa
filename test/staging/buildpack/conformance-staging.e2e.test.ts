/**
 * Cases of buildpack-contracts.md section 7 that take a whole staging: what is fetched, what the droplet and the
 * cache hold, what the app names itself. Through `bin/stager` and the real sandbox; the number of a case is in its name.
 */
import { execFileSync } from 'node:child_process';
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyHash } from '../../../src/staging/build-cache/key-hash.ts';
import { FIXTURES } from '../../support/buildpack-rig.ts';
import { Cli, stageArgs } from '../../support/cli.ts';

let cli: Cli;
let app: string;
beforeAll(async () => {
  ({ cli, app } = await Cli.withApp());
});
afterAll(() => cli[Symbol.asyncDispose]());

/** Lines that the scripts of a staging wrote and that begin with `word`. */
async function said(word: string, args: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await cli.run(['stage', ...args]);
  if (code !== 0) throw new Error(`exit ${code}: ${stdout}${stderr}`);
  return stdout.split('\n').filter((line) => line.startsWith(word));
}

const fixture = (name: string): string => join(FIXTURES, name);
const named = (...names: readonly string[]): string[] => names.flatMap((name) => ['-b', fixture(name)]);

/** Entries of a gzipped tar. */
function entriesOf(file: string): readonly string[] {
  return execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).trim().split('\n');
}

describe('the droplet', () => {
  it('#3 is not made when every candidate refuses', async () => {
    const notes = await cli.app('notes', { 'notes.txt': 'nothing to run' });
    const output = join(cli.dir, 'never.tgz');
    const { code, stdout, stderr } = await cli.run(['stage', notes, '--output', output]);
    expect(code).toBe(222);
    expect(stdout + stderr).toContain('None of the buildpacks detected a compatible application');
    expect(await cli.droplets()).toEqual([]);
    expect(await readdir(cli.dir)).not.toContain('never.tgz');
  });

  it('#5 has what compile made, empty tmp and logs, staging_info.yml, and no deps of its buildpack', async () => {
    const file = join(cli.dir, 'compiled.tgz');
    expect(await cli.run(['stage', app, ...named('also-always-detects'), '--output', file])).toMatchObject({
      code: 0,
    });
    const entries = entriesOf(file);
    expect(entries).toEqual(
      expect.arrayContaining(['./app/compiled', './app/index.html', './staging_info.yml']),
    );
    for (const name of ['tmp', 'logs', 'deps']) {
      expect(entries.filter((entry) => entry.startsWith(`./${name}/`))).toEqual([`./${name}/`]);
    }
  });
});

describe('the cache', () => {
  it('#24 is a tarball of `final` and one directory for each buildpack before the last', async () => {
    const args = ['stage', app, '--app-name', 'cached', ...named('always-detects', 'also-always-detects')];
    expect(await cli.run(args)).toMatchObject({ code: 0 });
    const root = join(cli.home, 'blobs/buildpack_cache');
    const names = (await readdir(root, { recursive: true })).filter((it) => /\/[0-9a-f]{16}$/.test(it));
    const entries = names.flatMap((name) => entriesOf(join(root, name)));
    const hash = await keyHash(fixture('always-detects'));
    expect(entries).toEqual(expect.arrayContaining(['./final/compiled', `./${hash}/supplied`]));
  });

  it('#45 spares the second staging the download', async () => {
    const args = [app, '--app-name', 'downloads', ...named('caches-download')];
    expect([await said('', args), await said('', args)]).toEqual([
      expect.arrayContaining(['downloading']),
      expect.arrayContaining(['from the cache']),
    ]);
  });
});

describe('a buildpack that is fetched', () => {
  const SUPPLY =
    '#!/bin/sh\ncd "$(dirname "$0")/.."; echo "version $(cat which) $(cat vendored/which 2>&1)"\n';
  let repository: string;
  beforeAll(async () => {
    const git = (dir: string, ...args: readonly string[]): void => {
      const author = ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'protocol.file.allow=always'];
      execFileSync('git', [...author, '-C', dir, ...args], { stdio: 'pipe' });
    };
    const commit = async (dir: string, which: string): Promise<void> => {
      await writeFile(join(dir, 'which'), which);
      git(dir, 'add', '.');
      git(dir, 'commit', '-qm', which);
    };
    const submodule = await cli.app('submodule', {});
    git(submodule, 'init', '-q', '-b', 'main');
    await commit(submodule, 'of the submodule');
    repository = await cli.app('repository', { 'bin/finalize': SUPPLY, 'bin/release': '#!/bin/sh\n' });
    execFileSync('chmod', ['-R', '755', join(repository, 'bin')]);
    git(repository, 'init', '-q', '-b', 'main');
    await commit(repository, 'one');
    git(repository, 'tag', 'lightweight');
    git(repository, 'submodule', '--quiet', 'add', `file://${submodule}`, 'vendored');
    await commit(repository, 'two');
  });

  it('#36 with git is the one of its branch or tag, with its submodules', async () => {
    const version = (ref: string) => said('version', [app, '-b', `file://${repository}${ref}`]);
    expect(await version('')).toEqual(['version two of the submodule']);
    expect(await version('#lightweight')).toEqual([expect.stringMatching(/^version one .*No such file/)]);
  });

  it.each([
    ['#37 a repository that is not there', 'file:///no/such/repository', 32],
    ['#37 an archive that is not there', './no-such.zip', 30],
    ['#37 a file that is not an archive', './no-zip.zip', 31],
    ['#55 a host that does not answer', 'https://127.0.0.1:1/x.tgz', 32],
    ['#55 an archive of a kind that nobody knows', './unknown.rar', 30],
  ])('%s ends the staging before any script', async (_what, reference, exit) => {
    await writeFile(join(cli.dir, 'no-zip.zip'), 'this is not a zip');
    const { code, stdout } = await cli.run(['stage', app, '-b', reference], { cwd: cli.dir });
    expect(code).toBe(exit);
    expect(stdout).not.toMatch(/==> (supply|compile|detect)/);
  });

  it('#38 as a zip keeps modes and links', async () => {
    const root = await cli.app('zipped', {
      'bin/finalize':
        '#!/bin/sh\ncd "$(dirname "$0")/.."; echo "modes $(stat -c %a bin/finalize plain | xargs) $(readlink link)"\n',
      'bin/release': '#!/bin/sh\n',
      plain: '',
    });
    execFileSync('chmod', ['-R', '750', join(root, 'bin')]);
    execFileSync('chmod', ['640', join(root, 'plain')]);
    await symlink('plain', join(root, 'link'));
    const zip = join(cli.dir, 'zipped.zip');
    execFileSync('zip', ['-qry', zip, '.'], { cwd: root });
    expect(await said('modes', [app, '-b', zip])).toEqual(['modes 750 640 plain']);
  });
});

describe('an app that names its buildpacks', () => {
  let url: string;
  const server = createServer((request, response) => {
    readFile(join(cli.dir, request.url?.replace(/^.*[/]/, '') ?? '')).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  beforeAll(async () => {
    for (const name of ['ruby', 'node']) {
      const root = fixture(`heroku-${name}`);
      execFileSync('tar', ['-czf', join(cli.dir, `${name}.tgz`), '-C', root, '.']);
    }
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    url = `http://127.0.0.1:${address.port}`;
  });
  afterAll(() => {
    server.close();
  });

  const compiled = async (list: string, more: readonly string[] = []): Promise<readonly string[]> => {
    const root = await cli.app('named', { '.buildpacks': list, Procfile: 'web: true\n' });
    const lines = await said('==>', [root, '--buildpack-api', 'heroku', ...more]);
    return lines.flatMap((line) => /^==> (?:compile|detect)\S* ?\S*/.exec(line)?.[0] ?? []);
  };

  it('#53 in one line is staged as if that were given', async () => {
    const given = await compiled('', ['-b', `${url}/ruby.tgz`]);
    expect(given).toEqual([expect.stringContaining('compile')]);
    expect(await compiled(`# mine\r\n\r\n${url}/ruby.tgz\r\n`)).toEqual(given);
  });

  it('#54 in several lines is staged with all, in only comments with none, and after --buildpack with that', async () => {
    expect(await compiled(`${url}/ruby.tgz\n${url}/node.tgz\n`)).toEqual([
      expect.stringMatching(/compile\[0\] ruby/),
      expect.stringMatching(/compile\[1\] node/),
    ]);
    expect((await compiled('# nothing\n'))[0]).toMatch(/detect/);
    expect(await compiled(`${url}/ruby.tgz\n`, ['-b', `${url}/node.tgz`])).toEqual([
      expect.stringMatching(/compile\[0\] node/),
    ]);
  });
});

describe('an env file', () => {
  it('#60 with quotes, blanks, export and comments has the values that bash gives it', async () => {
    const NAMES = ['PLAIN', 'SINGLE', 'DOUBLE', 'EXPORTED', 'HASH', 'COMMENTED', 'EMPTY', 'EQUALS', 'LINES'];
    const file = join(cli.dir, 'env');
    await writeFile(
      file,
      `# a comment
PLAIN=value
SINGLE='two  words, "quoted" $HOME'

export EXPORTED=yes
  DOUBLE="it's  here"
HASH='a # b'
COMMENTED=x # of this line
EMPTY=
EQUALS=a=b=c
LINES="one
two"
`,
    );
    const print = `printf 'var %s\\n' ${NAMES.map((name) => `"${name}=$(printf %s "$${name}" | tr '\\n' '|')"`).join(' ')}`;
    const bash = execFileSync('bash', ['-c', `set -a; . "$0"; ${print}`, file], { encoding: 'utf8' });
    const [, ...args] = stageArgs(app, { SUPPLY: print }, ['--env-file', file]);
    expect(await said('var ', args)).toEqual(bash.trimEnd().split('\n'));
  });
});
