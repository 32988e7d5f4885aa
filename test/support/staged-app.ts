/** An app through the command line: staged in the sandbox, started from its droplet. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { basename, join, resolve } from 'node:path';
import { expect } from 'vitest';
import { freePort } from './free-port.ts';

function env(home: string) {
  return { ...process.env, XDG_DATA_HOME: home };
}

/** Stages a fixture, or an absolute path; all that stager keeps is below `home`. */
export function stageApp(home: string, app: string, ...flags: readonly string[]) {
  const droplet = join(home, `${basename(app)}.tgz`);
  const result = join(home, `${basename(app)}.json`);
  const run = spawnSync(
    'bin/stager',
    ['stage', resolve('fixtures/apps', app), '--output', droplet, '--result', result, ...flags],
    { encoding: 'utf8', env: env(home) },
  );
  expect(run.status, run.stdout + run.stderr).toBe(0);
  return { droplet, result, output: run.stdout };
}

/** Runs the droplet's web process, lets `use` ask it, stops it with SIGTERM; what was logged. */
export async function runDroplet(
  home: string,
  droplet: string,
  use: (url: string) => Promise<void>,
): Promise<string> {
  const port = await freePort();
  const child = spawn('bin/stager', ['run', droplet, '--port', `${port}`], { env: env(home) });
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
