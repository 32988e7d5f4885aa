/** Every way in which a staging can fail, through the command: exit status, first line of the error, next step. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { chmod, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, stageArgs, TOLD } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/buildpacks', import.meta.url));

let cli: Cli;
let app: string;

beforeAll(async () => {
  ({ cli, app } = await Cli.withApp());
});

afterAll(() => cli[Symbol.asyncDispose]());

interface Case {
  readonly exit: number;
  readonly when: string;
  readonly args: () => Promise<readonly string[]> | readonly string[];
  /** The first line of the error, after `error `. */
  readonly error: RegExp;
  readonly next: RegExp;
}

const fixture = (name: string): string => join(FIXTURES, name);
const by = (...names: string[]): string[] => names.flatMap((name) => ['-b', fixture(name)]);

const CASES: readonly Case[] = [
  {
    exit: 1,
    when: 'the Procfile is not YAML',
    args: async () => stageArgs(await cli.app('procfile', { Procfile: 'web: [x\n' })),
    error: /^PROCFILE_INVALID \(app\) in release: Failed to read command from Procfile/,
    next: /type: command/,
  },
  {
    exit: 1,
    when: 'a buildpack left a broken launch.yml',
    args: () => ['stage', app, ...by('broken-launch-yml')],
    error: /^LAUNCH_YML_INVALID \(buildpack\).*launch\.yml/,
    next: /`processes`/,
  },
  {
    exit: 2,
    when: 'a size is none',
    args: () => stageArgs(app, {}, ['--memory', 'lots']),
    error: /^CONFIG_INVALID \(operator\): .*--memory/,
    next: /512M/,
  },
  {
    exit: 2,
    when: 'the env file is none',
    args: () => stageArgs(app, {}, ['--env-file', join(cli.dir, 'nowhere.env')]),
    error: /^CONFIG_INVALID \(operator\): can't read env file .*nowhere\.env \(ENOENT\)/,
    next: /./,
  },
  {
    exit: 2,
    when: 'a variable has a name of the platform',
    args: () => stageArgs(app, { VCAP_APPLICATION: '{}' }),
    error: /^ENV_NAME_REFUSED \(app\): .*VCAP_APPLICATION/,
    next: /./,
  },
  {
    exit: 3,
    when: 'the manifest has no apps',
    args: async () => ['stage', '-f', join(await cli.app('m', { 'manifest.yml': 'a: 1\n' }), 'manifest.yml')],
    error: /^MANIFEST_INVALID \(app\)/,
    next: /./,
  },
  {
    exit: 10,
    when: 'there is no such source',
    args: () => stageArgs(join(cli.dir, 'nowhere')),
    error: /^SOURCE_NOT_FOUND \(app\).*nowhere/,
    next: /./,
  },
  {
    exit: 11,
    when: 'everything is ignored',
    args: async () => stageArgs(await cli.app('empty', { '.cfignore': '*\n', 'a.txt': 'a' })),
    error: /^SOURCE_EMPTY \(app\)/,
    next: /\.cfignore/,
  },
  {
    exit: 12,
    when: 'links and a pipe are not of the app; all are named',
    args: async () => stageArgs(await unsafeApp()),
    error: /^SOURCE_UNSAFE \(app\)/,
    next: /ignore/,
  },
  {
    exit: 13,
    when: 'the archive is cut off',
    args: async () => stageArgs(await file('cut.zip', Buffer.from('PK\u0003\u0004garbage'))),
    error: /^SOURCE_ARCHIVE_INVALID \(app\)/,
    next: /./,
  },
  {
    exit: 14,
    when: 'the app is larger than --disk',
    args: async () => stageArgs(await sparseApp(), {}, ['--disk', '8M']),
    error: /^SOURCE_TOO_LARGE \(app\)/,
    next: /--disk|\.cfignore/,
  },
  {
    exit: 20,
    when: 'there is no such package',
    args: () => ['stage', '--package', 'd8c2395b-ad6a-45d1-8b77-02f175ef0546', '-b', TOLD],
    error: /^PACKAGE_NOT_FOUND \(operator\).*d8c2395b/,
    next: /./,
  },
  {
    exit: 30,
    when: 'no buildpack has that name',
    args: () => ['stage', app, '-b', 'nobodys'],
    error: /^BUILDPACK_NOT_FOUND \(operator\) in buildpacks: .*nobodys/,
    next: /stager buildpack list/,
  },
  {
    exit: 31,
    when: 'a buildpack has no bin/',
    args: () => ['stage', app, ...by('readme-only')],
    error: /^BUILDPACK_MALFORMED \(buildpack\) in buildpacks: .*bin/,
    next: /./,
  },
  {
    exit: 32,
    when: 'a download is refused',
    args: async () => ['stage', app, '-b', `http://127.0.0.1:${await freePort()}/bp.zip`],
    error: /^BUILDPACK_DOWNLOAD_FAILED \(operator\) in buildpacks: .*127\.0\.0\.1/,
    next: /./,
  },
  {
    exit: 33,
    when: 'an archive is not the one of the digest',
    args: async () => ['stage', app, '-b', `${await buildpackZip()}#sha256=${'0'.repeat(64)}`],
    error: /^BUILDPACK_CHECKSUM_MISMATCH \(operator\) in buildpacks: .*0{64}/,
    next: /./,
  },
  {
    exit: 34,
    when: 'an installed buildpack is locked',
    args: async () => {
      await cli.run(['buildpack', 'add', 'locked', TOLD]);
      await cli.run(['buildpack', 'update', 'locked', '--lock']);
      return ['buildpack', 'update', 'locked', fixture('always-detects')];
    },
    error: /^BUILDPACK_LOCKED \(operator\): .*locked/,
    next: /--unlock/,
  },
  {
    exit: 35,
    when: 'the named buildpack is disabled',
    args: async () => {
      await cli.run(['buildpack', 'add', 'off', TOLD]);
      await cli.run(['buildpack', 'update', 'off', '--disable']);
      return ['stage', app, '-b', 'off'];
    },
    error: /^BUILDPACK_DISABLED \(operator\) in buildpacks: .*off/,
    next: /--enable/,
  },
  {
    exit: 40,
    when: 'the runtime is none',
    args: () => stageArgs(app, {}, ['--runtime', '/bin/false']),
    error: /^SANDBOX_UNAVAILABLE \(operator\): \/bin\/false cannot be used as a runtime/,
    next: /stager doctor/,
  },
  {
    exit: 42,
    when: 'there is no such stack',
    args: () => stageArgs(app, {}, ['--stack', 'atlantis']),
    error: /^STACK_NOT_FOUND \(operator\): .*atlantis.*host/,
    next: /stager stack add/,
  },
  {
    exit: 50,
    when: 'scripts take too long',
    args: () => stageArgs(app, { SUPPLY: "trap '' TERM; sleep 1000 & sleep 1000" }, ['--timeout', '1s']),
    error:
      /^STAGING_TIMEOUT \(buildpack\) in supply\[0\] does-as-told: time is up: .* longer than 1 s, bin\/supply of does-as-told/,
    next: /--timeout/,
  },
  {
    exit: 51,
    when: 'a script takes too much memory',
    args: () =>
      stageArgs(app, { FINALIZE: 'head -c 400M /dev/zero | tail -c 300M > /dev/null' }, ['--memory', '64M']),
    error:
      /^OUT_OF_MEMORY \(app\) in finalize\[0\] does-as-told: bin\/finalize of does-as-told needed more than 64\.0 MiB/,
    next: /--memory/,
  },
  {
    exit: 52,
    when: 'a script fills the disk; the largest directories are named',
    args: () =>
      stageArgs(app, { SUPPLY: 'mkdir $1/fat && head -c 200M /dev/zero > $1/fat/file; sleep 1000' }, [
        '--disk',
        '32M',
      ]),
    error: /^OUT_OF_DISK \(app\) in supply\[0\] does-as-told: .* of 32\.0 MiB; largest: app\/fat/,
    next: /--disk/,
  },
  {
    exit: 52,
    when: 'the files of the app are small, and their blocks are more than --disk has',
    args: async () => stageArgs(await manyFiles(30_000), { SUPPLY: 'sleep 1000' }, ['--disk', '64M']),
    error: /^OUT_OF_DISK \(app\).* 64/,
    next: /--disk/,
  },
  {
    exit: 222,
    when: 'no buildpack wants the app',
    args: async () => ['stage', await cli.app('odd', { 'sub/main.zig': 'x' }), '-e', 'DETECT=exit 1'],
    error: /^NO_APP_DETECTED \(app\) in detect/,
    next: /\n {2}buildpack +version +detect +first line +time\n/,
  },
  {
    exit: 223,
    when: 'finalize fails',
    args: () => stageArgs(app, { FINALIZE: 'echo because; exit 9' }),
    error: /^COMPILE_FAILED \(buildpack\) in finalize\[0\] does-as-told: bin\/finalize .* exit status 9/,
    next: /[Ii]ts output says/,
  },
  {
    exit: 224,
    when: 'release prints no YAML',
    args: () => ['stage', app, ...by('release-bad-yaml')],
    error: /^RELEASE_FAILED \(buildpack\) in release\[0\]/,
    next: /./,
  },
  {
    exit: 225,
    when: 'the supply of a first buildpack fails',
    args: () => ['stage', app, ...by('fails-to-supply', 'does-as-told')],
    error: /^SUPPLY_FAILED \(buildpack\) in supply\[0\] fails-to-supply: bin\/supply .* exit status 7/,
    next: /[Ii]ts output says/,
  },
];

async function unsafeApp(): Promise<string> {
  const root = await cli.app('unsafe', { 'ok.txt': 'ok' });
  await symlink('/etc/passwd', join(root, 'absolute'));
  await symlink('../../outside', join(root, 'up'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  return root;
}

async function sparseApp(): Promise<string> {
  const root = await cli.app('large', { big: '' });
  await truncate(join(root, 'big'), 64 << 20);
  return root;
}

async function manyFiles(count: number): Promise<string> {
  const root = await cli.app('many', { 'd/': '' });
  for (let index = 0; index < count; index += 1) writeFileSync(join(root, 'd', String(index)), 'x');
  return root;
}

async function file(name: string, bytes: Buffer): Promise<string> {
  const path = join(cli.dir, name);
  await writeFile(path, bytes);
  return path;
}

async function buildpackZip(): Promise<string> {
  const path = join(cli.dir, 'told.tgz');
  execFileSync('tar', ['-czf', path, '-C', TOLD, '.']);
  return path;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

describe('exit status', () => {
  it.concurrent.each(CASES)('$exit when $when', async ({ exit, args, error, next }) => {
    const { code, stderr } = await cli.run(await args());
    const at = stderr.indexOf('error ');
    const told = stderr.slice(at + 'error '.length);
    expect({ code, told }).toEqual({ code: exit, told: expect.stringMatching(error) });
    expect(told.slice(told.indexOf('\n'))).toMatch(next);
  });

  it('names every link and pipe of an unsafe app, not only the first', async () => {
    const { stderr } = await cli.run(stageArgs(join(cli.dir, 'unsafe')));
    for (const name of ['absolute', 'up', 'pipe']) expect(stderr).toContain(name);
  });

  it('leaves nothing behind after any of them', async () => {
    expect(await cli.leftovers()).toEqual([]);
  });
});

describe('a source that stager may not read', () => {
  it.skipIf(process.getuid?.() === 0)('ends with 16 and names the file', async () => {
    const root = await cli.app('secret', { 'a.txt': 'a' });
    await chmod(join(root, 'a.txt'), 0);
    const { code, stderr } = await cli.run(stageArgs(root));
    expect({ code, stderr }).toEqual({ code: 16, stderr: expect.stringContaining('a.txt') });
  });
});

describe('a source that changes while it is staged', () => {
  it('ends with 15', async () => {
    const root = await cli.app('moving', { 'a.txt': 'a' });
    const archive = await readFile(await buildpackZip());
    // The buildpack is asked for after the app was packaged and before it is written into the workspace.
    const server = createHttpServer((_request, response) => {
      writeFileSync(join(root, 'a.txt'), 'longer than it was');
      response.end(archive);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { code, stderr } = await cli.run([
      'stage',
      root,
      '-b',
      `http://127.0.0.1:${portOf(server)}/told.tgz`,
    ]);
    server.close();
    expect({ code, stderr }).toEqual({
      code: 15,
      stderr: expect.stringMatching(/^error SOURCE_CHANGED \(app\) in workspace: /),
    });
  });
});
