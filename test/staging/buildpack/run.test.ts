/** What is hard to bring about in a real sandbox: every way in which a script can end, and hostile trees. */
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExitOutcome } from '../../../src/machine/sandbox/port/exit-report.ts';
import { BuildpackRig, type Staged } from '../../support/buildpack-rig.ts';
import { MappedSandbox } from '../../support/mapped-sandbox.ts';

let rig: BuildpackRig;
let outcomes: ReadonlyMap<string, ExitOutcome>;
let sandbox: MappedSandbox | undefined;
beforeAll(async () => {
  rig = await BuildpackRig.open((workspace) => {
    sandbox = new MappedSandbox(workspace);
    for (const [end, outcome] of outcomes) sandbox.staged.set(end, outcome);
    return sandbox;
  });
});
afterAll(async () => {
  await rig.close();
});

async function stage(
  staging: Parameters<BuildpackRig['stage']>[0],
  staged: Record<string, ExitOutcome> = {},
) {
  outcomes = new Map(Object.entries(staged));
  return await rig.stage(staging);
}

function failure(staged: Staged) {
  if (staged.outcome.kind !== 'failed') throw new Error('it was staged');
  return staged.outcome.error;
}

describe('a script that', () => {
  const LARGEST = [{ path: 'app/node_modules', sizeBytes: 3_000_000 }];
  it.each<[string, ExitOutcome, Record<string, unknown>]>([
    [
      'runs out of memory',
      { kind: 'out-of-memory', limitBytes: 1024 ** 2 },
      { code: 'OUT_OF_MEMORY', exit: 51 },
    ],
    [
      'fills the disk',
      { kind: 'out-of-disk', limitBytes: 1024 ** 2, usedBytes: 2 * 1024 ** 2, largest: LARGEST },
      {
        code: 'OUT_OF_DISK',
        message: expect.stringContaining('2.0 MiB of 1.0 MiB; largest: app/node_modules 2.9 MiB'),
      },
    ],
    [
      'makes too many files',
      { kind: 'too-many-files', limitFiles: 10, files: 12, fullest: [{ path: 'app', files: 11 }] },
      {
        code: 'OUT_OF_DISK',
        message: expect.stringContaining('with 12 files, the limit is 10; most are in: app 11'),
      },
    ],
    [
      'takes too long',
      { kind: 'timed-out', limitMs: 5 },
      { code: 'STAGING_TIMEOUT', details: expect.objectContaining({ limitMs: 60_000 }) },
    ],
    [
      'is killed',
      { kind: 'signalled', signal: 'SIGSEGV' },
      { code: 'COMPILE_FAILED', message: expect.stringContaining('SIGSEGV') },
    ],
    [
      'has no interpreter',
      { kind: 'not-started', reason: 'no ruby' },
      { code: 'COMPILE_FAILED', message: expect.stringContaining('no ruby') },
    ],
  ])('%s fails by its own name, with the phase and what to do', async (_name, outcome, expected) => {
    const error = failure(await stage({ buildpacks: ['has-finalize'] }, { 'bin/finalize': outcome }));
    expect(error).toMatchObject({ ...expected, phase: 'finalize[0] has-finalize' });
    expect(error.next).toBeTruthy();
  });

  it('is killed while detecting is not taken for a yes or the end of all', async () => {
    const staged = await stage(
      { mode: 'detect', buildpacks: ['always-detects', 'also-always-detects'] },
      { '6/bin/detect': { kind: 'exited', code: 0 } },
    );
    expect(staged.outcome.kind).toBe('staged');
    const killed = await stage(
      { mode: 'detect', buildpacks: ['always-detects', 'also-always-detects'] },
      { 'bin/detect': { kind: 'signalled', signal: 'SIGKILL' } },
    );
    expect(failure(killed)).toMatchObject({
      code: 'NO_APP_DETECTED',
      details: { tries: [{ outcome: 'killed by SIGKILL' }, { outcome: 'killed by SIGKILL' }] },
    });
  });

  it('times out while detecting ends the staging', async () => {
    const staged = await stage(
      { mode: 'detect', buildpacks: ['always-detects', 'also-always-detects'] },
      { 'bin/detect': { kind: 'timed-out', limitMs: 1 } },
    );
    expect(failure(staged).code).toBe('STAGING_TIMEOUT');
  });

  it('starts after the signal has fired never starts', async () => {
    const staged = await stage({ buildpacks: ['has-finalize'], signal: AbortSignal.abort() });
    expect(failure(staged).code).toBe('CANCELLED');
  });
});

describe('detect', () => {
  it('removes the copies of those that refused', async () => {
    const staged = await stage({ mode: 'detect', buildpacks: ['always-fails-detect', 'always-detects'] });
    expect(await readdir(staged.workspace.buildpacks)).toHaveLength(1);
  });

  it.each<[string, string, boolean, number]>([
    ['share a sandbox', 'exit 7', true, 2],
    ['have one each since one does not end by itself', 'kill -9 $$', true, 8],
    ['have one each since they do not ship', 'exit 7', false, 7],
  ])('is the same for buildpacks that %s', async (_what, refusal, ship, sandboxes) => {
    const says = (name: string, text: string) =>
      rig.scripted(name, { detect: text, compile: 'true', release: 'true' });
    const refusing = ['one', 'two', 'three', 'four', 'five'].map((name) =>
      says(name, `echo "no $1 for ${name}"; exit 1`),
    );
    const buildpacks = [
      ...(await Promise.all(refusing)),
      await says('odd', `echo "$PWD"; echo more; ${refusal}`),
      await says('yes', 'echo "  yes"; echo; exit 0'),
      await says('late', 'exit 0'),
    ];
    const staged = await stage({ mode: 'detect', buildpacks, ship });
    expect(staged.outcome).toMatchObject({
      kind: 'staged',
      result: { lifecycle_metadata: { detected_buildpack: '  yes' } },
    });
    expect(await readdir(staged.workspace.buildpacks)).toHaveLength(1);
    const rows = staged.outcome.tries?.map(({ buildpack, outcome, firstLine }) => [
      buildpack,
      outcome,
      firstLine,
    ]);
    const names = ['one', 'two', 'three', 'four', 'five'];
    expect(rows).toEqual([
      ...names.map((name) => [name, 'exit 1', `no ${staged.workspace.app} for ${name}`]),
      [
        'odd',
        refusal === 'exit 7' ? 'exit 7' : 'killed by SIGKILL',
        expect.stringContaining(staged.workspace.buildpacks),
      ],
      ['yes', 'exit 0', '  yes'],
    ]);
    expect(sandbox?.specs.filter(({ argv }) => argv.join(' ').includes('bin/detect'))).toHaveLength(
      sandboxes,
    );
  });

  it('without any buildpack says how to get one', async () => {
    expect(failure(await stage({ mode: 'detect', buildpacks: [] })).next).toContain('stager buildpack add');
  });
});

describe('a hostile buildpack', () => {
  it('can’t have a directory of the host removed by putting a link in the place of deps', async () => {
    const victim = join(rig.root, 'victim');
    await mkdir(join(victim, '1'), { recursive: true });
    await writeFile(join(victim, '1/file'), 'precious');
    const staged = await stage({
      buildpacks: [
        await rig.scripted('plants-link', { supply: `rm -rf "$3"; ln -s ${victim} "$3"` }),
        'also-always-detects',
      ],
    });
    expect(staged.outcome.kind).toBe('staged');
    expect(await readdir(join(victim, '1'))).toEqual(['file']);
  });

  it('can’t have files of the host read as launch.yml, config.yml or Procfile', async () => {
    const secret = join(rig.root, 'secret.yml');
    await writeFile(secret, 'name: stolen\nprocesses: [{type: web, command: stolen}]\nweb: stolen\n');
    const script = `ln -s ${secret} "$3/$4/launch.yml"; ln -s ${secret} "$3/$4/config.yml"; true`;
    const staged = await stage({
      buildpacks: [await rig.scripted('links-launch', { supply: script, finalize: 'true' })],
    });
    expect(failure(staged).code).toBe('LAUNCH_YML_INVALID');
    expect(JSON.stringify(staged.outcome)).not.toContain('stolen');
    const procfile = await stage({
      buildpacks: [
        await rig.scripted('links-procfile', { finalize: `ln -s ${secret} "$1/Procfile"`, release: 'true' }),
      ],
    });
    expect(failure(procfile).code).toBe('PROCFILE_INVALID');
  });

  it('can’t make the stager wait for a pipe', async () => {
    const staged = await stage({
      buildpacks: [await rig.scripted('pipe', { finalize: 'mkfifo "$1/Procfile"', release: 'true' })],
    });
    expect(failure(staged)).toMatchObject({
      code: 'PROCFILE_INVALID',
      message: expect.stringContaining('not a regular file'),
    });
  });

  it('can’t make the stager keep what release prints without end', async () => {
    const staged = await stage({
      buildpacks: [
        await rig.scripted('endless', { compile: 'true', release: 'head -c 3000000 /dev/zero | tr "\\0" a' }),
      ],
    });
    expect(failure(staged)).toMatchObject({
      code: 'RELEASE_FAILED',
      message: expect.stringContaining('longer than 1 MiB'),
    });
  });

  it('finds the cache directories real, whatever the cache held in their place', async () => {
    const staged = await stage({
      buildpacks: ['also-always-detects'],
      prepare: async ({ cache }) => {
        await mkdir(join(rig.root, 'elsewhere'), { recursive: true });
        await symlink(join(rig.root, 'elsewhere'), join(cache, 'final'));
      },
    });
    expect(staged.outcome.kind).toBe('staged');
    expect(await readdir(join(rig.root, 'elsewhere'))).toEqual([]);
    expect(await staged.read('cache/final/also-always-detects')).toBeUndefined();
  });
});

describe('tracing', () => {
  it('runs shell scripts with -x under their own name', async () => {
    const staged = await stage({ buildpacks: ['also-always-detects'], trace: true });
    expect(staged.output).toContain("+ echo 'compiled with 2 arguments'");
    expect(await staged.read('app/compiled')).toBe('compiled with 2 arguments\n');
  });
});

describe('the Procfile', () => {
  it('may be UTF-16, as PowerShell writes it', async () => {
    const utf16 = Buffer.from('\uFEFFweb: node käse.js\r\n', 'utf16le').toString('base64');
    const finalize = `printf %s ${utf16} | base64 -d > "$1/Procfile"`;
    const staged = await stage({ buildpacks: [await rig.scripted('utf16', { finalize, release: 'true' })] });
    expect(staged.outcome).toMatchObject({
      kind: 'staged',
      result: { process_types: { web: 'node käse.js' } },
    });
  });
});
