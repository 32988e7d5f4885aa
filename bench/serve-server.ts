/** A server for the bench: started as people start it, and signed in to. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ROOT } from './measure.ts';

export interface Running {
  readonly url: string;
  /** Of admin. */
  readonly token: string;
  /** From the start of the process to its first answer. */
  readonly startMs: number;
  residentMib(): number;
  stop(): Promise<void>;
}

const PASSWORD = 'bench';

/** @param dir of its data. @param database of PostgreSQL; an embedded one without. */
export async function startServer(dir: string, database: string | undefined): Promise<Running> {
  const started = performance.now();
  const args = [
    'serve',
    '--port',
    '0',
    '--json',
    ...(database === undefined ? [] : ['--database', database]),
  ];
  const child = spawn(join(ROOT, 'bin/stager'), args, {
    env: {
      PATH: process.env['PATH'],
      HOME: dir,
      STAGER_HOME: join(dir, 'server'),
      STAGER_ADMIN_PASSWORD: PASSWORD,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const piece of child.stdout) {
    said += String(piece);
    if (said.includes('\n')) break;
  }
  const { url } = z.object({ url: z.string() }).parse(JSON.parse(said.split('\n')[0] ?? ''));
  await fetch(`${url}/v3/info`);
  const startMs = Math.round(performance.now() - started);
  const form = new URLSearchParams({ grant_type: 'password', username: 'admin', password: PASSWORD });
  const answer = await fetch(`${url}/uaa/oauth/token`, {
    method: 'POST',
    body: form,
    headers: { authorization: `Basic ${btoa('cf:')}` },
  });
  const { access_token: token } = z.object({ access_token: z.string() }).parse(await answer.json());
  return {
    url,
    token,
    startMs,
    residentMib: () =>
      Math.round(
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024,
      ),
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}
