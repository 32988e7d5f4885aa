/** The fixture apps through the command line: staged in the sandbox, started from the droplet, asked over HTTP. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { freePort } from '../support/free-port.ts';

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
});
afterAll(() => home.cleanup());

function env() {
  return { ...process.env, XDG_DATA_HOME: home.path };
}

/** Of a fixture, or of a copy of it. */
function stage(app: string, ...flags: readonly string[]) {
  const droplet = join(home.path, `${basename(app)}.tgz`);
  const result = join(home.path, `${basename(app)}.json`);
  const run = spawnSync(
    'bin/stager',
    ['stage', resolve('fixtures/apps', app), '--output', droplet, '--result', result, ...flags],
    { encoding: 'utf8', env: env() },
  );
  expect(run.status, run.stdout + run.stderr).toBe(0);
  return { droplet, result, output: run.stdout };
}

/** Runs the droplet's web process, lets `use` ask it, stops it with SIGTERM; what was logged. */
async function running(droplet: string, use: (url: string) => Promise<void>): Promise<string> {
  const port = await freePort();
  const child = spawn('bin/stager', ['run', droplet, '--port', `${port}`], { env: env() });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  try {
    await healthy(child, () => output);
    await use(`http://127.0.0.1:${port}`);
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
  return output;
}

/** Resolves with the line that says so; fails when the command ends before it. */
function healthy(child: ChildProcess, output: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (/^healthy after/m.test(output())) resolve();
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('close', () => reject(new Error(`ended before it was healthy:\n${output()}`)));
  });
}

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
    const { droplet, output } = stage(copy, '-b', 'nodejs');
    expect(output).toContain('-----> Installing dependencies (package-lock.json)');
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
    const { readFileSync } = await import('node:fs');
    const json = record.shape.result.parse(JSON.parse(readFileSync(result, 'utf8')));
    expect(json.processes.map(({ type }) => type).sort()).toEqual(['clock', 'web', 'worker']);
    expect(json.sidecars).toEqual([{ name: 'beside', process_types: ['web'] }]);
    await running(droplet, async (url) => {
      // Nothing says which of the two is first.
      await expect.poll(() => body(url), { timeout: 120_000 }).toBe('web with sidecar\n');
    });
  });
});
