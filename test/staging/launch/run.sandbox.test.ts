import { chmod, chown, copyFile, constants as fsConstants, mkdir, readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Sandbox } from '../../../src/machine/sandbox/port/sandbox.ts';
import type { Selection } from '../../../src/machine/sandbox/select.ts';
import { insideProbe } from '../../../src/staging/launch/inside-probe.ts';
import type { RunDirs } from '../../../src/staging/launch/layout.ts';
import type { RunRequest } from '../../../src/staging/launch/run-request.ts';
import { openTestSandbox } from '../../support/open-sandbox.ts';
import { dropletOf, removeRun, requestFor, watchRun } from './support.ts';

let selection: Selection;
let sandbox: Sandbox;
const made: RunDirs[] = [];

beforeAll(async () => {
  selection = await openTestSandbox('oci', { egress: true });
  sandbox = selection.sandbox;
});

afterAll(async () => {
  await selection.close();
});

afterEach(async () => {
  for (const dirs of made.splice(0)) await removeRun(dirs);
});

/** A droplet that belongs to the sandbox's vcap, as unpacking leaves it. */
async function droplet(files: Readonly<Record<string, string>>): Promise<RunDirs> {
  const dirs = await dropletOf(files);
  made.push(dirs);
  await chmod(dirs.root, 0o755);
  await give(dirs.home);
  return dirs;
}

async function give(path: string): Promise<void> {
  const { uid, gid } = sandbox.owner;
  await chown(path, uid, gid);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await give(join(path, entry.name));
    else await chown(join(path, entry.name), uid, gid);
  }
}

async function start(files: Readonly<Record<string, string>>, more: Partial<RunRequest>) {
  const dirs = await droplet(files);
  return { dirs, ...(await watchRun(sandbox, requestFor(dirs, more))) };
}

const web = (command: string): Pick<RunRequest, 'target'> => ({ target: { kind: 'process', command } });

describe('a droplet in the sandbox', () => {
  it('#40 #41 sees its scripts in order, its directories and its environment, as vcap', async () => {
    const { run, lines, dirs } = await start(
      {
        'profile.d/0 first.sh': 'export TRAIL=platform',
        'app/.profile.d/app.sh': 'export TRAIL=$TRAIL,app',
        'app/.profile': 'export TRAIL=$TRAIL,profile',
        'app/file': 'content',
      },
      {
        ...web(`echo $TRAIL
          echo $(id -un) $(id -u) $PWD $HOME $TMPDIR $DEPS_DIR
          cat /app/file; echo
          echo made > $TMPDIR/in-tmp && echo made > /tmp/private && echo made > $HOME/../logs/log
          echo "dot $(env | grep spring)"
          exit 7`),
        env: { 'spring.profiles.active': 'cloud' },
      },
    );
    const { exitCode } = await run.done;
    expect(lines().map((line) => line.replace('[APP/PROC/WEB/0] ', ''))).toEqual([
      'Invoking pre-start scripts.',
      'Invoking start command.',
      'platform,app,profile',
      'vcap 2000 /home/vcap/app /home/vcap/app /home/vcap/tmp /home/vcap/deps',
      'content',
      'dot spring.profiles.active=cloud',
    ]);
    expect(exitCode).toBe(7);
    expect(await readFile(join(dirs.home, 'tmp/in-tmp'), 'utf8')).toBe('made\n');
    expect(await readFile(join(dirs.tmp, 'private'), 'utf8')).toBe('made\n');
  });

  it('passes SIGTERM to the command itself, which ends in its own way', async () => {
    const { run, untilLogged } = await start(
      {},
      web(`trap 'echo draining; exit 3' TERM; echo up; while :; do sleep 0.05; done`),
    );
    await untilLogged('up');
    const result = await run.stop();
    expect(result).toMatchObject({ exitCode: 3, end: { kind: 'stopped' } });
    expect(result.main.lastLines.at(-1)).toBe('draining');
  });

  it('ends a command that does not handle SIGTERM by it', async () => {
    const { run, untilLogged, events } = await start({}, web('echo up; exec sleep 600'));
    await untilLogged('up');
    expect((await run.stop()).exitCode).toBe(143);
    expect(events.map(({ type }) => type)).not.toContain('killing');
  });

  it('kills a command that ignores SIGTERM, with all that it started', async () => {
    const { run, untilLogged } = await start(
      {},
      web(`trap '' TERM; (trap '' TERM; exec sleep 600) & echo up; while :; do sleep 0.05; done`),
    );
    await untilLogged('up');
    expect(await run.stop({ graceMs: 200 })).toMatchObject({ exitCode: 137, end: { kind: 'stopped' } });
  });

  it('is stopped as well when that is asked for before the command has started', async () => {
    const { run } = await start({}, web('exec sleep 600'));
    expect([137, 143]).toContain((await run.stop({ graceMs: 3_000 })).exitCode);
  });

  it('runs sidecars beside the process: same files, one ends and all end', async () => {
    const { run, lines } = await start(
      { 'app/x': '' },
      {
        ...web('echo from web > /tmp/hello; exec sleep 600'),
        sidecars: [
          {
            name: 'agent',
            process_types: ['web'],
            command: 'until [ -s /tmp/hello ]; do sleep 0.05; done; cat /tmp/hello; exit 4',
            memory: 32,
          },
        ],
      },
    );
    const result = await run.done;
    expect(result).toMatchObject({
      exitCode: 4,
      end: { kind: 'exited', source: { id: 'APP/PROC/WEB/SIDECAR/AGENT' } },
      main: { exitCode: 143 },
    });
    expect(lines()).toContain('[APP/PROC/WEB/SIDECAR/AGENT/0] from web');
  });

  it('reports what went over its memory', async (context) => {
    // Without a limit this would eat the machine's.
    context.skip(sandbox.unenforced.some(({ limit }) => limit === 'memoryBytes'));
    const { run } = await start({}, { ...web('x=x; while :; do x=$x$x; done'), memoryMb: 32 });
    const result = await run.done;
    expect(result).toMatchObject({
      exitCode: 137,
      end: { kind: 'exited' },
      main: { report: { outcome: { kind: 'out-of-memory', limitBytes: 32 * 1024 * 1024 } } },
    });
  });

  it('leaves nothing of the host’s environment in', async () => {
    process.env['STAGER_TEST_SECRET'] = 'sesame';
    const { run, lines } = await start({}, web('env'));
    await run.done;
    delete process.env['STAGER_TEST_SECRET'];
    expect(lines().join('\n')).not.toContain('sesame');
  });

  it('runs a task and keeps its code', async () => {
    const { run, lines } = await start(
      { 'profile.d/x.sh': 'export GREETING=hi' },
      { target: { kind: 'task', command: 'echo $GREETING; exit 9' } },
    );
    expect((await run.done).exitCode).toBe(9);
    expect(lines()).toEqual(['[APP/TASK/run/0] hi']);
  });
});

describe('the health of a droplet in the sandbox', () => {
  const server = `require('node:http').createServer((request, response) => {
    if (request.url === '/die') process.exit(11);
    response.statusCode = request.url === '/health' ? 200 : 404;
    response.end('hello from ' + process.env.PORT);
  }).listen(process.env.PORT, '0.0.0.0');
  process.on('SIGTERM', () => { console.log('bye'); process.exit(0); });`;

  /** Each check has time enough to be answered on a busy machine, so that it is the answer that fails it. */
  const MISSING = {
    type: 'http',
    httpEndpoint: '/missing',
    startTimeoutMs: 1_500,
    invocationTimeoutMs: 30_000,
  } as const;

  /** A droplet with Node itself in deps/0, as the nodejs buildpack makes it. */
  async function nodeDroplet(more: Partial<RunRequest>) {
    const dirs = await droplet({
      'app/server.js': server,
      'profile.d/0_node.sh': 'export PATH=$DEPS_DIR/0/bin:$PATH',
    });
    await mkdir(join(dirs.home, 'deps/0/bin'), { recursive: true });
    await copyFile(process.execPath, join(dirs.home, 'deps/0/bin/node'), fsConstants.COPYFILE_FICLONE);
    await chmod(join(dirs.home, 'deps/0/bin/node'), 0o755);
    const target = { kind: 'process' } as const;
    const request = requestFor(dirs, { target, processTypes: { web: 'node server.js' }, ...more });
    return await watchRun(sandbox, request);
  }

  it.each([{ type: 'port' }, { type: 'http', httpEndpoint: '/health' }] as const)(
    'is found by $type, and the app answers from outside until it is stopped',
    async (healthCheck) => {
      const { run, events } = await nodeDroplet({ healthCheck });
      expect(await run.ready).toMatchObject({ kind: 'healthy' });
      const answer = await fetch(`http://127.0.0.1:${run.port}/`);
      expect(await answer.text()).toBe(`hello from ${run.port}`);
      const result = await run.stop();
      expect(result).toMatchObject({ exitCode: 0, end: { kind: 'stopped' } });
      expect(result.main.lastLines.at(-1)).toBe('bye');
      expect(events.filter(({ type }) => type === 'healthy')).toHaveLength(1);
    },
  );

  it('is missed when the endpoint does not answer 200 in time', async () => {
    const { run } = await nodeDroplet({
      healthCheck: { ...MISSING, startupPollMs: 50 },
    });
    const ready = await run.ready;
    expect(ready).toMatchObject({
      kind: 'ended',
      result: { end: { kind: 'unhealthy', everHealthy: false } },
    });
    const { end } = await run.done;
    expect(end.kind === 'unhealthy' && end.failure.message).toMatch(
      /not healthy within 1500 ms; last check: GET \/missing on port \d+: (status 404|connection refused)/,
    );
  });

  it('ends with the app, whose code is kept', async () => {
    const { run } = await nodeDroplet({ healthCheck: { type: 'port' } });
    await run.ready;
    await fetch(`http://127.0.0.1:${run.port}/die`).catch(() => undefined);
    expect(await run.done).toMatchObject({ exitCode: 11, end: { kind: 'exited', everHealthy: true } });
  });

  it.for([
    [{ type: 'port' }, 'healthy'],
    [{ type: 'http', httpEndpoint: '/health', invocationTimeoutMs: 30_000 }, 'healthy'],
    [MISSING, 'ended'],
  ] as const)(
    'is found from inside when the run has a network of its own: %j',
    async ([healthCheck, kind], context) => {
      context.skip(sandbox.sharesNetworks !== true);
      const { run, untilLogged } = await nodeDroplet({
        network: 'none',
        healthCheck,
        sidecars: [
          {
            name: 'agent',
            process_types: ['web'],
            command: `until exec 3<>/dev/tcp/127.0.0.1/$PORT; do sleep 0.1; done 2>/dev/null
            printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n1 <&3; echo; exec sleep 600`,
          },
        ],
      });
      const ready = await run.ready;
      expect(ready.kind).toBe(kind);
      if (ready.kind === 'ended') {
        expect(ready.result.end).toMatchObject({
          kind: 'unhealthy',
          failure: {
            message: expect.stringMatching(/GET \/missing on port 8080: (status 404|connection refused)/),
          },
        });
        return;
      }
      await untilLogged('hello from 8080');
      await run.stop();
    },
  );

  it.for([undefined, true])(
    'is found at the port that a network of its own publishes, on loopback unless it is exposed: %s',
    async (expose, context) => {
      const shared = sandbox;
      context.skip(shared.egress?.had !== true, 'no network of its own is available here');
      await using own = await shared.apart?.({ egress: 'running' });
      sandbox = own ?? shared;
      try {
        const { run, untilLogged } = await nodeDroplet({
          network: 'egress',
          ...(expose === true && { expose }),
          healthCheck: { type: 'http', httpEndpoint: '/health', invocationTimeoutMs: 30_000 },
          sidecars: [
            {
              name: 'agent',
              process_types: ['web'],
              command: `until exec 3<>/dev/tcp/127.0.0.1/$PORT; do sleep 0.1; done 2>/dev/null
              printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n1 <&3; echo; exec sleep 600`,
            },
          ],
        });
        expect(await run.ready).toMatchObject({ kind: 'healthy' });
        const ask = async (host: string) => await (await fetch(`http://${host}:${run.port}/`)).text();
        expect(await ask('127.0.0.1')).toBe(`hello from ${run.port}`);
        const elsewhere = await ask('127.0.0.2').catch(() => 'refused');
        expect(elsewhere).toBe(expose === true ? `hello from ${run.port}` : 'refused');
        await untilLogged(`hello from ${run.port}`);
        await run.stop();
      } finally {
        sandbox = shared;
      }
    },
  );

  it('ends its sidecars at once when it ends before they share its network', async () => {
    const { run } = await start(
      {},
      {
        ...web('exit 3'),
        network: 'none',
        sidecars: [{ name: 'agent', process_types: ['web'], command: 'exec sleep 600' }],
      },
    );
    expect(await run.done).toMatchObject({ exitCode: 3, end: { source: { id: 'APP/PROC/WEB' } } });
  });

  it('can share no network of a command that is not there', async (context) => {
    context.skip(sandbox.sharesNetworks !== true);
    const { dirs } = await start({}, web('true'));
    const probe = insideProbe({
      sandbox,
      networkOf: 'nobody',
      rootfs: { kind: 'host' },
      diskRoot: dirs.root,
    });
    const limits = { timeoutMs: 1_000, signal: new AbortController().signal };
    expect(await probe({ type: 'port', port: 1 }, limits)).toMatchObject({
      message: 'port 1: the check itself ended as cancelled',
    });
  });

  it('leaves the port of a stopped run free', async () => {
    const { run } = await nodeDroplet({ healthCheck: { type: 'port' } });
    await run.ready;
    await run.stop();
    const again = createServer();
    await new Promise<void>((resolve, reject) => {
      again.once('error', reject);
      again.listen(run.port, '0.0.0.0', resolve);
    });
    await new Promise((resolve) => again.close(resolve));
  });
});
