import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runDirsAt } from '../../../src/staging/launch/layout.ts';
import { planRun } from '../../../src/staging/launch/run-request.ts';
import { parseLaunchInfo, readLaunchInfo } from '../../../src/staging/launch/staging-info.ts';
import { requestFor } from './support.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-info-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const request = requestFor(runDirsAt('/nowhere'));

describe('staging_info.yml', () => {
  it('#43 has no start command when it is missing', async () => {
    const info = await readLaunchInfo(root);
    expect(info).toEqual({});
    expect(() => planRun(request, info)).toThrow(/no command for process type web/);
  });

  it('#43 has no start command when it names none', () => {
    const info = parseLaunchInfo('{"detected_buildpack":"x","start_command":""}');
    expect(() => planRun(request, info)).toThrow(/no command for process type web/);
  });

  it.each(['start_command: [', 'start_command: {a: b}', '- list', 'text', 'config: x'])(
    '#43 is refused when it is %j',
    (text) => {
      expect(() => parseLaunchInfo(text)).toThrow(/staging_info\.yml of the droplet: /);
    },
  );

  it('#43 works with tags that nobody knows in other keys', () => {
    const text = 'odd: !!ruby/object:Thing {a: 1}\nother: !custom x\nstart_command: npm start\n';
    expect(parseLaunchInfo(text)).toEqual({ startCommand: 'npm start' });
  });

  it('tells the entrypoint prefix', () => {
    expect(parseLaunchInfo('{"start_command":"a","config":{"entrypoint_prefix":"/lifecycle/wrap"}}')).toEqual(
      {
        startCommand: 'a',
        entrypointPrefix: '/lifecycle/wrap',
      },
    );
  });

  it('is not followed when it is a link out of the droplet', async () => {
    await writeFile(join(root, 'outside'), '{"start_command":"stolen"}');
    await mkdir(join(root, 'droplet'));
    await symlink('../outside', join(root, 'droplet', 'staging_info.yml'));
    await expect(readLaunchInfo(join(root, 'droplet'))).rejects.toThrow(/is a link/);
  });

  it('is refused when it is a directory or far too large', async () => {
    await mkdir(join(root, 'staging_info.yml'));
    await expect(readLaunchInfo(root)).rejects.toThrow(/is not a plain file/);
    await rm(join(root, 'staging_info.yml'), { recursive: true });
    await writeFile(join(root, 'staging_info.yml'), `#${'x'.repeat(1024 * 1024)}`);
    await expect(readLaunchInfo(root)).rejects.toThrow(/1048577 bytes, the limit is 1048576/);
  });
});

describe('what a run starts', () => {
  const processTypes = { web: 'node server.js', worker: 'node worker.js' };
  const info = { startCommand: 'from staging info' };

  it('takes the given command over the type over the staging info', () => {
    const command = (target: Parameters<typeof planRun>[0]['target'], types: Record<string, string>) =>
      planRun({ ...request, target, processTypes: types }, info).main.command;
    expect(command({ kind: 'process', command: 'mine' }, processTypes)).toBe('mine');
    expect(command({ kind: 'process' }, processTypes)).toBe('node server.js');
    expect(command({ kind: 'process' }, {})).toBe('from staging info');
    expect(command({ kind: 'process', type: 'worker' }, processTypes)).toBe('node worker.js');
  });

  it('refuses commands that no program could be given', () => {
    const plan = (command: string) => () => planRun({ ...request, target: { kind: 'task', command } }, info);
    expect(plan('x'.repeat(24_577))).toThrow(/the command has 24577 bytes, the limit is 24576/);
    expect(plan('a\0b')).toThrow(/the command holds NUL/);
  });

  it('names the types there are when the wanted one is not', () => {
    const plan = () =>
      planRun({ ...request, target: { kind: 'process', type: 'clock' }, processTypes }, info);
    expect(plan).toThrow(/process type clock: it has web, worker/);
    const inherited = () => planRun({ ...request, target: { kind: 'process', type: 'toString' } }, info);
    expect(inherited).toThrow(/process type toString/);
  });

  it('takes the memory of sidecars out of the process, and leaves out those of other types', () => {
    const sidecars = [
      { name: 'agent', process_types: ['web', 'worker'], command: './agent', memory: 64 },
      { name: 'plain', process_types: ['web'], command: './plain' },
      { name: 'other', process_types: ['worker'], command: './other', memory: 1000 },
    ];
    expect(planRun({ ...request, memoryMb: 256, processTypes, sidecars }, info)).toEqual({
      main: { command: 'node server.js', memoryMb: 192 },
      sidecars: [
        { name: 'agent', command: './agent', memoryMb: 64 },
        { name: 'plain', command: './plain', memoryMb: 192 },
      ],
    });
    expect(() => planRun({ ...request, memoryMb: 64, processTypes, sidecars }, info)).toThrow(
      /sidecars of web need 64 MB of its 64 MB/,
    );
  });
});
