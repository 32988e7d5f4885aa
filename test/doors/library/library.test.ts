/** What the library refuses before anything is started. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import {
  createPackage,
  doctor,
  explainFile,
  type ImageDestination,
  listFiles,
  manifestApps,
  openBlobs,
  type RunImageOptions,
  type RunOptions,
  runDroplet,
  runImage,
  type StageOptions,
  stage,
} from '../../../src/index.ts';

const home = mkdtempSync(join(tmpdir(), 'stager-library-unit-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('the library', () => {
  it.each([
    [{ memoryMb: 0 }, 'memoryMb is 0'],
    [{ diskMb: Number.NaN }, 'diskMb is NaN'],
    [{ timeoutMs: -5 }, 'timeoutMs is -5'],
    [{ memoryMb: Number.POSITIVE_INFINITY }, 'memoryMb is Infinity'],
  ])('refuses %j, which would be an infinite limit or none that makes sense', async (amounts, message) => {
    await expect(stage({ home, ...amounts }).result).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message,
    });
    const { memoryMb, diskMb } = { memoryMb: 64, diskMb: 64, ...amounts };
    if ('timeoutMs' in amounts) return;
    await expect(runDroplet({ home, memoryMb, diskMb }).result).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message,
    });
  });

  it('refuses places and files that are not there before it starts', async () => {
    const nowhere = join(home, 'nowhere/file');
    for (const options of [{ result: nowhere }, { envFile: nowhere }]) {
      await expect(stage({ home, ...options }).result).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(`${nowhere} (ENOENT)`),
      });
    }
  });

  it('writes the result of a failure as well', async () => {
    const result = join(home, 'result.json');
    const source = join(home, 'no-app');
    await expect(stage({ home, source, result, sandbox: 'none' }).result).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
    });
    expect(JSON.parse(readFileSync(result, 'utf8'))).toMatchObject({
      stager: { outcome: 'failed', error: { code: 'SOURCE_NOT_FOUND', exit: 10 } },
    });
  });

  it('fails with CANCELLED for a signal that has fired, whatever its reason', async () => {
    const signal = AbortSignal.abort();
    for (const start of [() => stage({ home, signal }).result, () => runDroplet({ home, signal }).result]) {
      await expect(start()).rejects.toMatchObject({ name: 'StagerError', code: 'CANCELLED' });
    }
  });
});

describe('options that cannot be used together', () => {
  it('are refused where a caller without types gives both', async () => {
    const both: object = { home, source: '.', package: '0d5a7a3c-5d43-4b19-8a3b-1b8a9e0c1f11' };
    await expect(stage(both).result).rejects.toMatchObject({ code: 'USAGE' });
    const two: object = { home, process: 'web', command: ['true'] };
    await expect(runDroplet(two).result).rejects.toMatchObject({ code: 'USAGE' });
    const none: object = { home, command: [] };
    await expect(runDroplet(none).result).rejects.toMatchObject({
      code: 'USAGE',
      message: '`command` has no words',
    });
    const image = { home, image: 'app', process: 'web', command: ['true'] };
    // @ts-expect-error a list that may be empty
    await expect(runImage(image).result).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('do not compile', () => {
    // @ts-expect-error a source or a package
    const staging: StageOptions = { source: '.', package: 'x' };
    // @ts-expect-error a process type or a command
    const run: RunOptions = { process: 'web', command: ['true'] };
    // @ts-expect-error a process type or a command
    const image: RunImageOptions = { image: 'app', process: 'web', command: ['true'] };
    // @ts-expect-error a command has words
    const empty: RunOptions = { command: [] };
    // @ts-expect-error what is pushed has no file
    const to: ImageDestination = { kind: 'push', file: 'x' };
    expect([staging, run, image, empty, to]).toHaveLength(5);
  });
});

describe('a manifest', () => {
  it('gives the options of each of its apps, its services left out', async () => {
    const manifest = join(home, 'manifest.yml');
    mkdirSync(join(home, 'shop'), { recursive: true });
    writeFileSync(
      manifest,
      'applications:\n- name: ((env))-shop\n  path: shop\n  memory: 2G\n  env: { A: 1 }\n  buildpack: nodejs\n  command: node x.js\n',
    );
    expect(await manifestApps({ manifest, vars: ['env=test'] })).toEqual([
      {
        source: join(home, 'shop'),
        appName: 'test-shop',
        env: { A: '1' },
        buildpacks: ['nodejs'],
        memoryMb: 2048,
        launch: {
          commands: { web: 'node x.js' },
          sidecars: [],
          envNames: ['A'],
          memoryMb: { web: 2048 },
        },
      },
    ]);
  });
});

describe('packages and blobs', () => {
  it('are created, listed, read, checked and removed', async () => {
    const app = join(home, 'app');
    mkdirSync(app);
    writeFileSync(join(app, 'index.html'), 'hello');
    const made = await createPackage({ home, source: app });
    const blobs = await openBlobs({ home });
    const keys = async () => {
      const seen: string[] = [];
      for await (const { key } of blobs.list({ kinds: ['packages'] })) seen.push(key);
      return seen;
    };
    const [key = ''] = await keys();
    expect(key).toContain(made.guid);
    expect((await text(await blobs.get(key))).length).toBeGreaterThan(0);
    expect(await blobs.verify()).toMatchObject({ damaged: [] });
    expect(await blobs.repair()).toMatchObject({ packages: [] });
    expect((await blobs.usage()).find(({ kind }) => kind === 'packages')?.blobs).toBe(1);
    await blobs.remove(key);
    expect(await keys()).toEqual([]);
  });
});

describe('files of a source', () => {
  it('are listed with their totals, and a path is explained', async () => {
    const source = join(home, 'sent');
    mkdirSync(join(source, 'lib'), { recursive: true });
    for (const [name, content] of Object.entries({
      '.cfignore': '*.log\n[a-\n',
      'lib/a.js': 'a',
      'b.log': 'b',
    }))
      writeFileSync(join(source, name), content);
    const unusable: string[] = [];
    const paths: string[] = [];
    const options = { home, source, ignoreStyle: 'git' } as const;
    for await (const entry of listFiles({
      ...options,
      onUnusable: ({ text: line }) => unusable.push(line),
    })) {
      if ('path' in entry) paths.push(entry.path);
      else expect(entry).toMatchObject({ type: 'totals', files: 1, directories: 1 });
    }
    expect(paths.toSorted()).toEqual(['lib', 'lib/a.js']);
    expect(await explainFile('b.log', options)).toMatchObject({ ignored: true, rule: { text: '*.log' } });
    expect(unusable.length).toBeLessThan(2);
  });
});

describe('doctor', () => {
  it('says what will be used here', async () => {
    expect(await doctor({ home, diskBound: 'watch' })).toMatchObject({ machine: { node: process.version } });
  });

  it('first puts the data home right for who asks for it', async () => {
    const broken = join(home, 'broken');
    mkdirSync(broken);
    writeFileSync(join(broken, 'workspaces'), 'a file in the place of a directory');
    const done: string[] = [];
    const { home: found } = await doctor({ home: broken, onRepaired: (sentence) => done.push(sentence) });
    expect(found.status).not.toBe('failed');
    expect(done.join()).toContain('workspaces');
  });
});
