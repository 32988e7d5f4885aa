/** What the library does with images and Cloud Native Buildpacks, each call once; the steps have tests of their own. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStager } from '../../../src/compose.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { buildImage, inspectImage, rebaseImage, runImage, stageCnb } from '../../../src/index.ts';
import { makeBashStack } from '../../support/bash-stack.ts';
import { type DockerRegistry, hasProgram, startRegistry } from '../../support/docker-registry.ts';

const dir = mkdtempSync(join(tmpdir(), 'stager-library-images-'));
const home = join(dir, 'home');
const withRegistry = hasProgram('docker-registry');
if (!withRegistry) process.stderr.write('NOT RUN: what needs docker-registry, which is not installed\n');
let registry: DockerRegistry | undefined;

beforeAll(async () => {
  chmodSync(dir, 0o755);
  write('droplet/app/index', 'hi\n');
  write('droplet/staging_info.yml', '{"start_command": "cat index"}');
  execFileSync('tar', ['-czf', 'droplet.tgz', '-C', 'droplet', '.'], { cwd: dir });
  makeBashStack(join(dir, 'bash'));
  await using stager = openStager(await loadConfig({ flags: { home }, machineOnly: true }));
  await stager.stacks.add('bash', join(dir, 'bash'), { signal: new AbortController().signal });
  if (withRegistry) registry = await startRegistry();
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text, { mode });
}

const droplet = () => ({ home, droplet: join(dir, 'droplet.tgz'), base: 'stack:bash' });

describe('images', () => {
  it('are built of droplets, moved to another base, and run', async () => {
    const layout = join(dir, 'layout');
    const built = await buildImage({
      ...droplet(),
      tag: 'app:v1',
      to: { kind: 'layout', directory: layout },
    });
    expect(built.layers.map(({ title }) => title)).toContain('app');
    const base = join(dir, 'base');
    await buildImage({
      ...droplet(),
      base: 'scratch',
      tag: 'base:v1',
      to: { kind: 'layout', directory: base },
    });
    const file = join(dir, 'rebased.tar');
    const rebased = await rebaseImage({
      home,
      image: layout,
      base,
      tag: 'app:v2',
      to: { kind: 'tar', file },
    });
    expect(rebased.layers.length).toBe(2 * (built.layers.length - 1));
    await using run = runImage({
      home,
      image: layout,
      memoryMb: 256,
      diskMb: 256,
      healthCheck: { type: 'process' },
    });
    const lines: string[] = [];
    for await (const event of run.events) if (event.type === 'log') lines.push(event.text);
    expect(lines).toContain('hi');
    expect((await run.result).exitCode).toBe(0);
  });

  it.runIf(withRegistry)('are pushed, and looked at without being fetched', async () => {
    const image = `${registry?.host ?? ''}/app:v1`;
    const { pushed } = await buildImage({ ...droplet(), tag: image, to: { kind: 'push' } });
    expect(pushed?.uploaded).toBeGreaterThan(0);
    expect(await inspectImage({ home, image })).toMatchObject({
      result: { process_types: { web: '/lifecycle/process/web' } },
      platform: expect.stringContaining('linux/'),
    });
  });

  it('that are not there fail as every promise of the handle says', async () => {
    const nowhere = runImage({ home, image: join(dir, 'nowhere') });
    for (const promise of [nowhere.result, nowhere.ready, nowhere.stop()])
      await expect(promise).rejects.toMatchObject({ name: 'StagerError', code: 'IMAGE_INVALID' });
  });
});

describe('Cloud Native Buildpacks', () => {
  it('stage an app into a file, with the events of their phases', async () => {
    write('cnb/buildpack.toml', 'api = "0.10"\n[buildpack]\nid = "a/b"\nversion = "1.0.0"\n');
    write('cnb/bin/detect', '#!/bin/sh\nexit 0\n', 0o755);
    write('cnb/bin/build', '#!/bin/sh\necho "built with $WORD"\n', 0o755);
    write('app/file', 'hello\n');
    const output = join(dir, 'cnb.tgz');
    const result = join(dir, 'cnb.json');
    await using staging = stageCnb({
      home,
      source: join(dir, 'app'),
      buildpacks: [join(dir, 'cnb')],
      env: { WORD: 'care' },
      output,
      result,
    });
    const lines: string[] = [];
    for await (const event of staging.events) if (event.type === 'output') lines.push(event.text);
    expect(lines).toContain('built with care');
    const staged = await staging.result;
    expect(staged.lifecycle_metadata.buildpacks).toMatchObject([{ key: 'a/b' }]);
    expect(JSON.parse(readFileSync(result, 'utf8'))).toEqual(staged);
    expect(execFileSync('tar', ['-tzf', output], { encoding: 'utf8' })).toContain('workspace/file');
  });
});
