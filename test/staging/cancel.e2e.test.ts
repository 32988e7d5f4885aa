/** Ctrl-C and SIGTERM in every phase: the command ends, and nothing of it is left. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Cli, cgroupsOf, events, stageArgs, TOLD } from '../support/cli.ts';

/** A script that no polite signal ends, with a child that outlives it. */
const DEAF = "trap '' TERM INT HUP; sleep 1000 & echo begun; sleep 1000; sleep 1000";
/** Packing this takes seconds: the signal comes in time on a busy machine too. */
const LARGE = (file: string): string => `head -c 256M /dev/urandom > "${file}"`;
const Started = z.object({ type: z.literal('staging-started'), build: z.string() });

let cli: Cli;
let app: string;
let silent: { readonly server: Server; readonly url: string };

beforeAll(async () => {
  cli = await Cli.make();
  app = await cli.app('app');
  silent = await silentServer();
  const added = await cli.run(['buildpack', 'add', 'told', TOLD, '--position', '1']);
  expect(added).toMatchObject({ code: 0 });
});

afterAll(async () => {
  silent.server.closeAllConnections();
  silent.server.close();
  await cli[Symbol.asyncDispose]();
});

interface Case {
  readonly phase: string;
  /** What has to be said before the signal is sent; default: that the phase began. */
  readonly when?: RegExp;
  readonly args: () => Promise<string[]> | string[];
}

const BEGUN = /"text":"begun"/;
const began = (phase: string): RegExp => new RegExp(`"phase-started"[^\\n]*"name":"${phase}"`);

const CASES: readonly Case[] = [
  { phase: 'source', args: async () => stageArgs(await manyFiles('many')) },
  { phase: 'workspace', args: async () => stageArgs(await manyFiles('many')) },
  { phase: 'buildpacks', args: () => ['stage', app, '-b', `${silent.url}/slow.zip`] },
  { phase: 'detect', when: BEGUN, args: () => ['stage', app, '-e', `DETECT=(${DEAF}) >&2`] },
  { phase: 'supply', when: BEGUN, args: () => stageArgs(app, { SUPPLY: DEAF }) },
  { phase: 'finalize', when: BEGUN, args: () => stageArgs(app, { FINALIZE: DEAF }) },
  { phase: 'release', when: BEGUN, args: () => stageArgs(app, { RELEASE: `(${DEAF}) >&2` }) },
  { phase: 'droplet', args: () => stageArgs(app, { SUPPLY: LARGE('$1/big') }) },
  { phase: 'save-cache', args: () => stageArgs(app, { SUPPLY: LARGE('$2/big') }) },
];

async function manyFiles(name: string): Promise<string> {
  const files = Array.from({ length: 4_000 }, (_, n): [string, string] => [`d${n % 50}/f${n}`, `file ${n}`]);
  return await cli.app(name, Object.fromEntries(files));
}

/** Sends the first bytes of a large file, and then nothing. */
async function silentServer(): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': 50_000_000, 'content-type': 'application/zip' });
    response.write(Buffer.alloc(100_000, 'P'));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { server, url: `http://127.0.0.1:${address.port}` };
}

async function expectNothingLeft(stdout: string): Promise<void> {
  expect(await cli.leftovers()).toEqual([]);
  const { build } = Started.parse(events(stdout)[0]);
  expect(cgroupsOf(build)).toEqual([]);
}

describe('Ctrl-C', () => {
  it.each(CASES)('while $phase goes on ends with 130 and leaves nothing', async ({ phase, when, args }) => {
    const before = await cli.droplets();
    const running = cli.start([...(await args()), '--json']);
    await running.says(when ?? began(phase));
    running.interrupt();
    const { code, stdout } = await running.ended;
    expect(events(stdout).at(-1)).toMatchObject({
      type: 'error',
      error: { code: 'CANCELLED', message: 'cancelled by SIGINT', exit: 130 },
    });
    expect(code).toBe(130);
    await expectNothingLeft(stdout);
    expect(await cli.droplets()).toEqual(before);
  });
});

describe('SIGTERM to stager alone', () => {
  const clone: Case = { phase: 'buildpacks', args: () => ['stage', app, '-b', `${silent.url}/slow.git`] };
  it.each([...CASES.filter(({ phase }) => phase === 'supply' || phase === 'droplet'), clone])(
    'while $phase goes on ends with 143 and leaves nothing',
    async ({ phase, when, args }) => {
      const running = cli.start([...(await args()), '--json']);
      await running.says(when ?? began(phase));
      running.child.kill('SIGTERM');
      const { code, stdout } = await running.ended;
      expect(code).toBe(143);
      await expectNothingLeft(stdout);
    },
  );
});

describe('a second signal', () => {
  it('ends the command at once; the next start clears away what it could not', async () => {
    const running = cli.start([...stageArgs(app, { SUPPLY: DEAF }), '--json']);
    await running.says(BEGUN);
    // Two that the kernel can't make one of; it may deliver them in either order, but both at once.
    running.child.kill('SIGSTOP');
    running.child.kill('SIGINT');
    running.child.kill('SIGTERM');
    running.child.kill('SIGCONT');
    const { code, stdout } = await running.ended;
    expect([130, 143]).toContain(code);
    expect(stdout).not.toContain('staging-ended');
    expect(await cli.stage(app)).toMatchObject({ code: 0 });
    expect(await cli.leftovers()).toEqual([]);
  });
});
