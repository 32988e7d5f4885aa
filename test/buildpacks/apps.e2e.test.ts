/** The fixture apps through the command line: staged in the sandbox, started from the droplet, asked over HTTP. */
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runDroplet, stageApp } from '../support/staged-app.ts';

const record = z.object({
  result: z.object({
    processes: z.array(z.object({ type: z.string(), command: z.string() })),
    sidecars: z.array(z.object({ name: z.string(), process_types: z.array(z.string()) })).optional(),
    lifecycle_metadata: z.object({
      buildpacks: z.array(z.object({ name: z.string(), version: z.string().optional() })),
    }),
  }),
});

let home: DirectoryResult;

beforeAll(async () => {
  home = await tempDir({ unsafeCleanup: true });
  // Scripts have to get through to what is unpacked below it.
  chmodSync(home.path, 0o711);
});
afterAll(() => home.cleanup());

const stage = (app: string, ...flags: readonly string[]) => stageApp(home.path, app, ...flags);
const running = (droplet: string, use: (url: string) => Promise<void>) => runDroplet(home.path, droplet, use);

async function body(url: string): Promise<string> {
  return (await fetch(url)).text();
}

describe('fixture apps', () => {
  it('express: Node and npm packages are installed in the sandbox, and the droplet answers', async () => {
    // As after npm ci: .cfignore leaves nothing of node_modules but its folders.
    const copy = join(home.path, 'express');
    cpSync('fixtures/apps/express', copy, { recursive: true });
    mkdirSync(join(copy, 'node_modules/express/lib'), { recursive: true });
    writeFileSync(join(copy, 'node_modules/express/package.json'), '{}');
    const { droplet, output } = stage(copy, '-b', 'nodejs', '--reproducible');
    expect(output).toContain('-----> Installing dependencies (package-lock.json)');
    const fresh = readFileSync(droplet);
    // The packages come from the cache then, Node and npm from what the machine has unpacked, and the app lies above a
    // tree where that can be: byte for byte the same.
    const again = stage(copy, '-b', 'nodejs', '--reproducible', '--workspace', 'overlay');
    expect(again.output).toContain('-----> Reusing the packages of an earlier staging');
    expect(again.output.match(/Using (node|npm) \S+ as this machine has it unpacked/g)).toHaveLength(2);
    expect(readFileSync(again.droplet).equals(fresh)).toBe(true);
    // Archives come back from the store where nothing is unpacked, without a network as well.
    rmSync(join(home.path, 'stager/unpacked'), { recursive: true });
    const apart = stage(copy, '-b', 'nodejs', '--reproducible', '--network', 'none');
    expect(apart.output.match(/Using (node|npm) \S+ from the cache/g)).toHaveLength(2);
    expect(readFileSync(apart.droplet).equals(fresh)).toBe(true);
    const log = await running(droplet, async (url) => {
      expect(await body(url)).toBe('Hello from express on stager\n');
      expect(JSON.parse(await body(`${url}/runtime`))).toMatchObject({ NODE_ENV: 'production' });
    });
    expect(log).toContain('closed');
  });

  it('static-site: is detected, and nginx serves it with the options of its Staticfile', async () => {
    const { droplet, output } = stage('static-site');
    expect(output).toMatch(/buildpacks +staticfile/);
    await running(droplet, async (url) => {
      expect(await body(url)).toContain('<p>included by ssi</p>');
      expect(await body(`${url}/missing`)).toContain('says the site itself');
    });
  });

  it('procfile-multi: has the processes of its Procfile, and a sidecar that runs beside web', async () => {
    const { droplet, result } = stage(
      'procfile-multi',
      ...['-b', 'fixtures/buildpacks/with-sidecar', '-b', 'procfile'],
    );
    const json = record.shape.result.parse(JSON.parse(readFileSync(result, 'utf8')));
    expect(json.processes.map(({ type }) => type).sort()).toEqual(['clock', 'web', 'worker']);
    expect(json.sidecars).toEqual([{ name: 'beside', process_types: ['web'] }]);
    await running(droplet, async (url) => {
      // Nothing says which of the two is first.
      await expect.poll(() => body(url), { timeout: 120_000 }).toBe('web with sidecar\n');
    });
  });
});
