import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../../src/staging/launch/events.ts';
import type { RunDirs } from '../../../src/staging/launch/layout.ts';
import type { RunRequest } from '../../../src/staging/launch/run-request.ts';
import { type RunResult, STOP_GRACE_MS } from '../../../src/staging/launch/supervise.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { HostSandbox } from '../../support/host-sandbox.ts';
import { dropletOf, removeRun, requestFor, watchRun } from './support.ts';

let dirs: RunDirs;
let sandbox: HostSandbox;

afterEach(async () => {
  await removeRun(dirs);
  expect(sandbox.running).toBe(0);
});

async function start(
  command: string,
  more: Partial<RunRequest> = {},
  ports: Omit<Parameters<typeof watchRun>[2] & object, never> = {},
) {
  sandbox = new HostSandbox();
  dirs = await dropletOf({});
  return await watchRun(sandbox, requestFor(dirs, { target: { kind: 'process', command }, ...more }), ports);
}

const types = (events: readonly RunEvent[]): string[] =>
  events.flatMap(({ type }) => (type === 'log' ? [] : [type]));

describe('running a droplet', () => {
  it('#41 passes streams and exit code of the process', async () => {
    const { run, events } = await start('echo out; echo err >&2; exit 42');
    const result = await run.done;
    expect(result.exitCode).toBe(42);
    expect(result.end).toMatchObject({ kind: 'exited', source: { id: 'APP/PROC/WEB', index: 0 } });
    const logs = events.flatMap((event) => (event.type === 'log' ? [`${event.stream} ${event.text}`] : []));
    expect(logs).toContain('stdout out');
    expect(logs).toContain('stderr err');
    expect(result.main.lastLines).toContain('out');
  });

  it('reports a signal as 128 and its number', async () => {
    const { run } = await start('kill -SEGV $$');
    expect((await run.done).exitCode).toBe(139);
  });

  it('keeps the code of a command that ends on SIGTERM in its own way', async () => {
    const { run, untilLogged, events } = await start(
      `trap 'echo draining; exit 3' TERM; echo up; while :; do sleep 0.02; done`,
    );
    await untilLogged('up');
    const result = await run.stop();
    expect(result).toMatchObject({ exitCode: 3, end: { kind: 'stopped' } });
    expect(result.main.lastLines.at(-1)).toBe('draining');
    expect(types(events)).toEqual(expect.arrayContaining(['stopping', 'exited']));
    expect(types(events)).not.toContain('killing');
  });

  it('kills what does not end on SIGTERM, after ten seconds', async () => {
    const clock = new FakeClock();
    const { run, untilLogged, until } = await start(
      `trap '' TERM; echo up; while :; do sleep 0.02; done`,
      {},
      { clock },
    );
    await untilLogged('up');
    const done = run.stop();
    expect(await until(({ type }) => type === 'stopping')).toMatchObject({ graceMs: STOP_GRACE_MS });
    clock.advance(STOP_GRACE_MS);
    await until(({ type }) => type === 'killing');
    expect(await done).toMatchObject({ exitCode: 137, end: { kind: 'stopped' } });
    expect(clock.pending).toBe(0);
  });

  it('kills at once when it is asked to, also during the grace', async () => {
    const { run, untilLogged } = await start(`trap '' TERM; echo up; while :; do sleep 0.02; done`);
    await untilLogged('up');
    const gentle = run.stop();
    const [result] = await Promise.all([run.stop({ graceMs: 0 }), gentle]);
    expect(result.exitCode).toBe(137);
  });

  it('stops when the signal fires', async () => {
    const aborter = new AbortController();
    const { run, untilLogged } = await start('echo up; exec sleep 60', {}, { signal: aborter.signal });
    await untilLogged('up');
    aborter.abort();
    expect(await run.done).toMatchObject({ exitCode: 143, end: { kind: 'stopped' } });
  });

  it('sends SIGTERM again to a command that was not there yet', async () => {
    sandbox = new HostSandbox();
    dirs = await dropletOf({});
    const deliver = sandbox.signal.bind(sandbox);
    const sent: string[] = [];
    sandbox.signal = async (owner, signal) => {
      sent.push(signal);
      return sent.length === 3 && (await deliver(owner, signal));
    };
    const task = { target: { kind: 'task', command: 'exec sleep 60' } } as const;
    const { run } = await watchRun(sandbox, requestFor(dirs, task));
    expect((await run.stop()).exitCode).toBe(143);
    expect(sent).toEqual(['SIGTERM', 'SIGTERM', 'SIGTERM']);
  });

  it('sends SIGTERM once to a command that has written something', async () => {
    const { run, untilLogged } = await start(
      // The signal would come again every 50 ms.
      `n=0; trap 'n=$((n+1))' TERM; echo up; until [ $n != 0 ]; do sleep 0.02; done; sleep 0.5; exit $n`,
    );
    await untilLogged('up');
    expect((await run.stop()).exitCode).toBe(1);
  });

  it('starts nothing when the signal has fired before', async () => {
    await expect(start('true', {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    expect(sandbox.specs).toEqual([]);
  });

  it('is ready while the process is alive, when that is the check', async () => {
    const { run, events } = await start('exec sleep 60');
    expect(await run.ready).toMatchObject({ kind: 'healthy' });
    expect(types(events)).toEqual(['run-started', 'healthy']);
    await run.stop({ graceMs: 0 });
  });

  it('tells a crash before it was healthy, with code and last lines', async () => {
    const { run } = await start('echo no config; exit 1', { healthCheck: { type: 'port' } });
    const ready = await run.ready;
    expect(ready).toMatchObject({
      kind: 'ended',
      result: { exitCode: 1, end: { kind: 'exited', everHealthy: false } },
    });
    expect((await run.done).main.lastLines.at(-1)).toBe('no config');
  });

  it('runs the sidecars of its type beside it, each with its own prefix and memory', async () => {
    const watched = await start('echo web $MEMORY_LIMIT; exec sleep 60', {
      sidecars: [
        {
          name: 'agent',
          process_types: ['web'],
          command: 'echo agent $MEMORY_LIMIT $PORT; exec sleep 60',
          memory: 64,
        },
        { name: 'other', process_types: ['worker'], command: 'echo other' },
      ],
    });
    await watched.untilLogged('web 192m');
    await watched.untilLogged('agent 64m');
    expect(watched.lines()).toContain(`[APP/PROC/WEB/SIDECAR/AGENT/0] agent 64m ${watched.run.port}`);
    expect(watched.lines().join('\n')).not.toContain('other');
    const result = await watched.run.stop();
    expect(result.sidecars.map(({ exitCode }) => exitCode)).toEqual([143]);
  });

  it.each([
    ['sidecar', 'exec sleep 60', 'exit 4', 4, 'APP/PROC/WEB/SIDECAR/AGENT'],
    ['process', 'exit 5', 'exec sleep 60', 5, 'APP/PROC/WEB'],
  ])('stops all when the %s ends, and keeps its code', async (_what, web, agent, code, id) => {
    const { run, events } = await start(web, {
      sidecars: [{ name: 'agent', process_types: ['web'], command: agent }],
    });
    const result = await run.done;
    expect(result).toMatchObject({ exitCode: code, end: { kind: 'exited', source: { id } } });
    expect(types(events).filter((type) => type === 'exited')).toHaveLength(2);
    expect(events.find(({ type }) => type === 'stopping')).toMatchObject({
      reason: { kind: 'codependent', ended: { id } },
    });
  });

  it('runs a task: no port, no health check, no sidecars, no launcher messages, its code kept', async () => {
    const { run, lines, events } = await start('', {
      target: { kind: 'task', command: 'echo port=$PORT in $(basename $PWD); exit 6' },
      sidecars: [{ name: 'agent', process_types: ['web'], command: 'echo agent' }],
    });
    const result = await run.done;
    expect(result.exitCode).toBe(6);
    expect(lines()).toEqual(['[APP/TASK/run/0] port= in app']);
    expect(types(events)).toEqual(['run-started', 'exited']);
    expect(run.port).toBeUndefined();
    expect(await run.ready).toMatchObject({ kind: 'ended' });
  });

  it('gives a free port, the same to process and check', async () => {
    const { run, untilLogged } = await start('echo port $PORT $VCAP_APP_PORT; exec sleep 60');
    expect(run.port).toBeGreaterThan(1023);
    await untilLogged(`port ${run.port} ${run.port}`);
    await run.stop({ graceMs: 0 });
  });

  it('refuses a port that is in use, before anything is started', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(start('true', { port })).rejects.toMatchObject({ code: 'PORT_IN_USE', details: { port } });
    expect(sandbox.specs).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([-1, 65_536, 1.5, Number.NaN])('refuses %d as a port', async (port) => {
    await expect(start('true', { port })).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('says so when the stack has no bash', async () => {
    sandbox = new HostSandbox();
    dirs = await dropletOf({});
    sandbox.run = async () => ({
      outcome: { kind: 'not-started', reason: 'no such file or directory' },
      durationMs: 1,
    });
    const { run } = await watchRun(sandbox, requestFor(dirs, { target: { kind: 'process', command: 'x' } }));
    await expect(run.done).rejects.toMatchObject({ code: 'STACK_INVALID' });
    await expect(run.ready).rejects.toThrow('/bin/bash of the stack could not be started');
  });

  it('refuses a directory that is not a droplet', async () => {
    sandbox = new HostSandbox();
    dirs = await dropletOf({});
    await removeRun(dirs);
    await expect(watchRun(sandbox, requestFor(dirs))).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
  });

  it('checks without a network by being alive, and says so', async () => {
    const { run, events } = await start('exec sleep 60', {
      network: 'none',
      healthCheck: { type: 'http', startupPollMs: 20 },
    });
    expect(await run.ready).toMatchObject({ kind: 'healthy' });
    expect(events[0]).toMatchObject({ type: 'warning', code: 'health-check-without-network' });
    expect(run.port).toBe(8080);
    await run.stop({ graceMs: 0 });
  });
});

describe('health of a droplet', () => {
  /** Advances the clock until the run tells something of type `wanted`. */
  async function advanceUntil(clock: FakeClock, events: readonly RunEvent[], wanted: RunEvent['type']) {
    while (!events.some(({ type }) => type === wanted)) {
      clock.advance(250);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('fails when the start takes too long, with the last failure, and stops the process', async () => {
    const clock = new FakeClock();
    const probe = async () => ({ message: 'port 1: connection refused', reached: false });
    const { run, events, untilLogged } = await start(
      'echo up; exec sleep 60',
      { healthCheck: { type: 'port', startTimeoutMs: 2_000 } },
      { clock, probe },
    );
    await untilLogged('up');
    await advanceUntil(clock, events, 'unhealthy');
    const result: RunResult = await run.done;
    expect(result.end).toMatchObject({
      kind: 'unhealthy',
      everHealthy: false,
      failure: {
        code: 'HEALTH_CHECK_FAILED',
        message: 'APP/PROC/WEB not healthy within 2000 ms; last check: port 1: connection refused',
        next: expect.stringContaining('listen on $PORT'),
      },
    });
    expect(result.exitCode).toBe(143);
    expect(await run.ready).toMatchObject({ kind: 'ended' });
  });

  it('ends a process that was healthy and fails a later check', async () => {
    const clock = new FakeClock();
    const answers = ['down', undefined, undefined, 'status 500'];
    const asked: number[] = [];
    const probe = async () => {
      asked.push(clock.now());
      const message = answers.shift();
      return message === undefined ? undefined : { message, reached: message.startsWith('status') };
    };
    const { run, events, untilLogged } = await start(
      'echo up; exec sleep 60',
      { healthCheck: { type: 'http', startupPollMs: 250, intervalMs: 30_000 } },
      { clock, probe },
    );
    await untilLogged('up');
    await advanceUntil(clock, events, 'unhealthy');
    expect(await run.ready).toMatchObject({ kind: 'healthy', afterMs: 500 });
    const result = await run.done;
    expect(result.end).toMatchObject({
      kind: 'unhealthy',
      everHealthy: true,
      failure: {
        next: expect.stringMatching(/^The app listens where it should, and has to answer GET \/ with/),
      },
    });
    expect(asked.map((at) => at - (asked[0] ?? 0))).toEqual([0, 250, 30_250, 60_250]);
  });
});
