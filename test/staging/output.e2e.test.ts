/** What a staging writes: for people, for pipes, for programs; and into files. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Cli, events, stageArgs, TOLD } from '../support/cli.ts';

/** docs/events.md, strictly: a key that the page does not have fails. */
const at = z.iso.datetime();
const digest = z.string().regex(/^[0-9a-f]{40}$|^[0-9a-f]{64}$/);
const phase = z.strictObject({
  name: z.enum([
    'source',
    'buildpacks',
    'workspace',
    'detect',
    'restore-cache',
    'supply',
    'finalize',
    'compile',
    'release',
    'droplet',
    'save-cache',
    'smoke',
  ]),
  index: z.int().min(0).optional(),
  buildpack: z.string().optional(),
});
const blob = z.strictObject({ location: z.url(), sizeBytes: z.int(), sha1: digest, sha256: digest });
const failure = z.strictObject({
  code: z.string().regex(/^[A-Z_]+$/),
  blame: z.enum(['app', 'buildpack', 'operator', 'stager']),
  message: z.string(),
  next: z.string().optional(),
  phase: z.string().optional(),
  details: z.record(z.string(), z.unknown()),
  exit: z.int(),
});
const result = z.looseObject({ lifecycle_metadata: z.unknown(), process_types: z.unknown() });
const record = z.strictObject({
  build: z.guid(),
  app: z.strictObject({ guid: z.guid(), name: z.string() }),
  source: z.string(),
  package: z.guid().optional(),
  stack: z.string(),
  sandbox: z.string(),
  startedAt: at,
  durationMs: z.int(),
  phases: z.array(
    z.strictObject({ phase, durationMs: z.int(), outcome: z.enum(['done', 'skipped', 'failed']) }),
  ),
  buildpacks: z.array(
    z.strictObject({
      key: z.string(),
      name: z.string(),
      version: z.string().optional(),
      sha256: digest,
      family: z.enum(['cf-v2', 'cf-v3', 'heroku']),
    }),
  ),
  dependencies: z
    .array(
      z.strictObject({
        name: z.string(),
        version: z.string(),
        uri: z.string(),
        checksum: z.string(),
        line: z.string().optional(),
        newestOfLine: z.string().optional(),
        newest: z.string().optional(),
        endOfLife: z.iso.date().optional(),
      }),
    )
    .optional(),
  droplet: blob.extend({ guid: z.guid() }),
  buildCache: blob.optional(),
  limits: z.strictObject({ memoryMb: z.int(), diskMb: z.int(), timeoutMs: z.int() }),
  peaks: z.strictObject({ memoryBytes: z.int().optional(), diskBytes: z.int().optional() }),
  reused: z.boolean(),
  reuseKey: digest.optional(),
  launch: z.unknown().optional(),
  warnings: z.array(z.string()),
  result,
});
const documented = z.union([
  z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('staging-started'),
      at,
      build: z.guid(),
      source: z.string(),
      stack: z.string(),
      sandbox: z.string(),
    }),
    z.strictObject({ type: z.literal('phase-started'), at, phase }),
    z.strictObject({
      type: z.literal('progress'),
      at,
      phase,
      done: z.number(),
      total: z.number().optional(),
      unit: z.enum(['bytes', 'files']),
    }),
    z.strictObject({
      type: z.literal('output'),
      at,
      phase,
      stream: z.enum(['stdout', 'stderr']),
      text: z.string(),
      partial: z.boolean().optional(),
    }),
    z.strictObject({
      type: z.literal('warning'),
      at,
      code: z.string().regex(/^[a-z-]+$/),
      message: z.string(),
      phase: phase.optional(),
    }),
    z.strictObject({
      type: z.literal('phase-ended'),
      at,
      phase,
      outcome: z.enum(['done', 'skipped', 'failed']),
      durationMs: z.int(),
      note: z.string().optional(),
    }),
    z.strictObject({ type: z.literal('error'), error: failure }),
  ]),
  z.strictObject({ type: z.literal('staging-ended'), at, outcome: z.literal('staged'), record }),
  z.strictObject({
    type: z.literal('staging-ended'),
    at,
    outcome: z.enum(['failed', 'cancelled']),
    error: failure,
    result: result.optional(),
  }),
]);

let cli: Cli;
let app: string;

beforeAll(async () => {
  ({ cli, app } = await Cli.withApp());
});

afterAll(() => cli[Symbol.asyncDispose]());

describe('--json', () => {
  it('writes a staging as the documented events, and nothing else', async () => {
    const { code, stdout, stderr } = await cli.stage(app, { SUPPLY: 'echo out; echo err >&2' }, ['--json']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    const told = events(stdout).map((event) => documented.parse(event));
    expect(told[0]).toMatchObject({ type: 'staging-started' });
    expect(told.at(-1)).toMatchObject({ type: 'staging-ended', outcome: 'staged' });
    const phases = told.flatMap((event) => (event.type === 'phase-ended' ? [event.phase.name] : []));
    expect(phases.filter((name) => name !== 'restore-cache')).toEqual([
      'source',
      'buildpacks',
      'workspace',
      'supply',
      'finalize',
      'release',
      'droplet',
      'save-cache',
    ]);
  });

  it('ends a failed staging with its error as an event and as the last line', async () => {
    const { code, stdout } = await cli.stage(app, { SUPPLY: 'exit 3' }, ['--json']);
    expect(code).toBe(223);
    const told = events(stdout).map((event) => documented.parse(event));
    expect(told.at(-2)).toMatchObject({
      type: 'staging-ended',
      outcome: 'failed',
      result: expect.anything(),
    });
    expect(told.at(-1)).toMatchObject({ type: 'error', error: { code: 'COMPILE_FAILED', exit: 223 } });
  });
});

describe('a pipe', () => {
  it('gets plain lines, what a script wrote on the stream it wrote to, and a summary', async () => {
    const { stdout, stderr } = await cli.stage(app, { SUPPLY: 'echo to-stdout; echo to-stderr >&2' });
    expect(stripVTControlCharacters(stdout + stderr)).toBe(stdout + stderr);
    expect(stderr).toBe('to-stderr\n');
    expect(stdout).toMatch(/==> supply\[0\] does-as-told\nto-stdout\n/);
    expect(stdout).toMatch(/\n {2}droplet +\d+ B {2}sha256:[0-9a-f]{64}\n +file:\/\//);
    expect(stdout).toMatch(/\n {2}processes +web {2}cat index\.html\n/);
    expect(stdout).toMatch(/\n {2}memory +peak .* of 1\.0 GiB requested\n {2}disk +peak /);
    expect(stdout).toMatch(/\n {2}phase +time\n/);
  });

  it('gets nothing with --quiet, but for errors', async () => {
    const told = { SUPPLY: 'echo to-stdout; echo to-stderr >&2' };
    expect(await cli.stage(app, told, ['--quiet'])).toMatchObject({ code: 0, stdout: '', stderr: '' });
    const failed = await cli.stage(app, { SUPPLY: 'exit 1' }, ['--quiet']);
    expect(failed).toMatchObject({ code: 223, stdout: '', stderr: expect.stringMatching(/^error COMPILE/) });
  });
});

describe('what scripts write', () => {
  const lines = (stdout: string): readonly (readonly [string, string, boolean])[] =>
    events(stdout).flatMap((event) => {
      const parsed = documented.safeParse(event).data;
      if (parsed?.type !== 'output') return [];
      return [[parsed.stream, parsed.text, parsed.partial === true] as const];
    });

  it('comes line by line, in order', async () => {
    const supply = 'i=0; while [ $i -lt 500 ]; do echo "line $i"; i=$((i+1)); done';
    const { stdout } = await cli.stage(app, { SUPPLY: supply }, ['--json']);
    expect(lines(stdout).map(([, text]) => text)).toEqual(Array.from({ length: 500 }, (_, n) => `line ${n}`));
  });

  it('keeps progress that goes back by carriage return, and marks bytes that are not UTF-8', async () => {
    const supply = String.raw`printf '10%%\r20%%\r\ndone\n'; printf 'bad \377\376 bytes\n' >&2`;
    const { stdout } = await cli.stage(app, { SUPPLY: supply }, ['--json']);
    const said = lines(stdout);
    expect(said.filter(([stream]) => stream === 'stdout').map(([, text]) => text)).toEqual([
      '10%\r20%',
      'done',
    ]);
    expect(said.filter(([stream]) => stream === 'stderr').map(([, text]) => text)).toEqual([
      'bad \uFFFD\uFFFD bytes',
    ]);
  });

  it('comes in pieces that make the line when a line of a megabyte never ends', async () => {
    const supply = "head -c 1000000 /dev/zero | tr '\\0' x";
    const { stdout } = await cli.stage(app, { SUPPLY: supply }, ['--json']);
    const said = lines(stdout);
    expect(said.map(([, text]) => text).join('')).toBe('x'.repeat(1_000_000));
    expect(Math.max(...said.map(([, text]) => text.length))).toBeLessThanOrEqual(61_440);
    expect(said.at(-1)?.[2]).toBe(false);
  });
});

describe('files', () => {
  it('are written on success: the droplet, and result.json with our record', async () => {
    const [output, file] = [join(cli.dir, 'droplet.tgz'), join(cli.dir, 'result.json')];
    expect(await cli.stage(app, {}, ['--output', output, '--result', file])).toMatchObject({ code: 0 });
    const written: unknown = JSON.parse(await readFile(file, 'utf8'));
    expect(written).toMatchObject({
      lifecycle_type: 'buildpack',
      process_types: { web: 'cat index.html' },
      stager: { outcome: 'staged', droplet: { sizeBytes: (await readFile(output)).length } },
    });
  });

  it('hold the error after a failure, with the result.json that Cloud Foundry writes then', async () => {
    const file = join(cli.dir, 'failed.json');
    expect(await cli.stage(app, { FINALIZE: 'exit 1' }, ['--result', file])).toMatchObject({ code: 223 });
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      lifecycle_type: 'buildpack',
      stager: { outcome: 'failed', error: { code: 'COMPILE_FAILED', exit: 223 } },
    });
  });
});

describe('--keep', () => {
  const kept = (text: string): string | undefined => /the workspace was kept: (\S+)/.exec(text)?.[1];

  it('always, and failed after a failure, say where the workspace is', async () => {
    const good = await cli.stage(app, {}, ['--keep', 'always']);
    expect(await readFile(join(String(kept(good.stderr)), 'tmp/app/index.html'), 'utf8')).toBe('hello');
    const bad = await cli.stage(app, { SUPPLY: 'echo left > $1/left; exit 1' }, ['--keep', 'failed']);
    expect(await readFile(join(String(kept(bad.stderr)), 'tmp/app/left'), 'utf8')).toBe('left\n');
    const clean = await cli.stage(app, {}, ['--keep', 'failed']);
    expect(kept(clean.stderr)).toBeUndefined();
  });
});

describe('settings', () => {
  it('of a flag win over a variable, which wins over the file', async () => {
    const dir = await cli.app('configured', { 'index.html': 'x' });
    const config = (memory: string): Promise<void> =>
      writeFile(join(dir, 'stager.yml'), `buildpacks: [${TOLD}]\nmemory: ${memory}\n`);
    await config('300M');
    const limit = /memory +peak .* of (\S+ MiB) requested/;
    const options = { cwd: dir };
    const file = await cli.run(['stage'], options);
    expect(limit.exec(file.stdout)?.[1]).toBe('300 MiB');
    const variable = await cli.run(['stage'], { ...options, env: { STAGER_MEMORY: '400M' } });
    expect(limit.exec(variable.stdout)?.[1]).toBe('400 MiB');
    const flag = await cli.run(['stage', '-m', '500M'], { ...options, env: { STAGER_MEMORY: '400M' } });
    expect(limit.exec(flag.stdout)?.[1]).toBe('500 MiB');
  });
});

describe('the environment of scripts', () => {
  it('has what was asked for, --env over --env-file, and nothing of the caller', async () => {
    const dir = await cli.app('envs', {
      // Node itself knows --env-file: what the app is given is not a setting of ours.
      '.env': 'FROM_FILE=file\nBOTH=file\nSTAGER_QUIET=true\n',
      'services.json': JSON.stringify({
        redis: [{ name: 'cache', label: 'redis', credentials: { port: 6379 } }],
      }),
    });
    const { stdout } = await cli.run(
      stageArgs(app, { BOTH: 'flag', SUPPLY: 'env | sort' }, [
        '--env-file',
        join(dir, '.env'),
        '--services',
        join(dir, 'services.json'),
        '--app-name',
        'shop',
      ]),
      {
        env: {
          CANARY: 'of-the-caller',
          AWS_SECRET_ACCESS_KEY: 'of-the-caller',
          NODE_OPTIONS: '--no-warnings',
        },
      },
    );
    expect(stdout).toContain('\nFROM_FILE=file\n');
    expect(stdout).toContain('\nSTAGER_QUIET=true\n');
    expect(stdout).toContain('\nBOTH=flag\n');
    expect(stdout).toMatch(/\nVCAP_SERVICES=.*"name":"cache"/);
    expect(stdout).toMatch(/\nVCAP_APPLICATION=.*"application_name":"shop"/);
    for (const leak of ['of-the-caller', 'NODE_OPTIONS', 'MALLOC_', 'STAGER_HOME', cli.dir]) {
      const scripts = stdout.slice(stdout.indexOf('==> supply'), stdout.indexOf('Staged '));
      expect(scripts).not.toContain(leak);
    }
  });
});
