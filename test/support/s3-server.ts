/** A real S3 server on loopback for one test file, with a bucket and credentials of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

/** A running server. */
export interface S3Server {
  readonly port: number;
  readonly endpoint: string;
  /** Where its buckets lie as directories. */
  readonly directory: string;
  /** The server's process, for measuring it. */
  readonly pid: number;
  /** Address of a store in a bucket; `more` holds further parameters. */
  address(bucket: string, more?: string): string;
  makeBucket(name: string): Promise<void>;
  dropBucket(name: string): Promise<void>;
  stop(): Promise<void>;
}

export const ACCESS_KEY = 'stager-test';
export const SECRET_KEY = 'never-show-this-secret';

/** Puts the credentials where the SDK's chain looks first. */
export function useTestCredentials(): void {
  process.env['AWS_ACCESS_KEY_ID'] = ACCESS_KEY;
  process.env['AWS_SECRET_ACCESS_KEY'] = SECRET_KEY;
  process.env['AWS_REGION'] = 'us-east-1';
  process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
}

/** Starts the server and waits until it answers; who calls has a time-out of its own. */
export async function startS3Server(parent = tmpdir()): Promise<S3Server> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { stdout } = await promisify(execFile)('sh', ['scripts/s3-server.sh'], { cwd: root });
  const directory = await mkdtemp(join(parent, 'stager-s3-'));
  const port = await freePort();
  const child = spawn(
    stdout.trim(),
    ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', 'posix', directory],
    {
      env: { ...process.env, ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const stopped = once(child, 'exit');
  const endpoint = `http://127.0.0.1:${port}`;
  await answering(endpoint, child);
  return {
    port,
    endpoint,
    directory,
    pid: child.pid ?? 0,
    address: (bucket, more = '') => `s3://${bucket}/some/prefix?endpoint=${endpoint}${more}`,
    makeBucket: (name) => mkdir(join(directory, name)).then(() => undefined),
    dropBucket: (name) => rm(join(directory, name), { recursive: true }),
    stop: async () => {
      child.kill('SIGTERM');
      await stopped;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function answering(endpoint: string, child: ChildProcess): Promise<void> {
  let complaints = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaints += chunk.toString();
  });
  while (child.exitCode === null && child.signalCode === null) {
    const isUp = await fetch(endpoint).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await setTimeout(50);
  }
  throw new Error(`the S3 server does not start: ${complaints}`);
}
