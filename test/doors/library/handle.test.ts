import { describe, expect, it } from 'vitest';
import { type Handle, openHandle } from '../../../src/doors/library/handle.ts';
import { openRun } from '../../../src/doors/library/run-handle.ts';
import type { RunResult } from '../../../src/staging/launch/supervise.ts';

interface Work {
  readonly handle: Handle<string, string>;
  readonly emit: (event: string) => void;
  readonly finish: (result: string) => void;
  /** Settles when the work was told to stop. */
  readonly stopped: Promise<unknown>;
}

/** Something that goes on until it is finished or cancelled; a text weighs its length. */
function work(signal?: AbortSignal): Work {
  const end = Promise.withResolvers<string>();
  const stopped = Promise.withResolvers<unknown>();
  let emit: (event: string) => void = () => undefined;
  const handle = openHandle<string, string>({
    signal,
    onEvent: undefined,
    limit: { weight: (event) => event.length, maxWeight: 10, leftOut: (count) => `${count} left out` },
    run: async (io) => {
      emit = io.emit;
      io.signal.addEventListener('abort', () => {
        stopped.resolve(io.signal.reason);
        end.reject(io.signal.reason);
      });
      return await end.promise;
    },
  });
  return { handle, emit: (event) => emit(event), finish: end.resolve, stopped: stopped.promise };
}

async function all(events: AsyncIterable<string>): Promise<readonly string[]> {
  const seen: string[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

describe('a handle', () => {
  it('gives every iteration all events, also one that begins after the end', async () => {
    const { handle, emit, finish } = work();
    const early = all(handle.events);
    emit('one');
    const late = all(handle.events);
    emit('two');
    finish('done');
    expect(await handle.result).toBe('done');
    for (const seen of [early, late, all(handle.events)]) expect(await seen).toEqual(['one', 'two']);
  });

  it('is cancelled by leaving its events early', async () => {
    const { handle, emit, stopped } = work();
    emit('one');
    for await (const event of handle.events) {
      expect(event).toBe('one');
      break;
    }
    await stopped;
    await expect(handle.result).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('is not cancelled by reading its events to the end', async () => {
    const { handle, finish } = work();
    finish('done');
    await all(handle.events);
    expect(await handle.result).toBe('done');
  });

  it('is cancelled when the block that uses it is left', async () => {
    const { handle, stopped } = work();
    {
      await using used = handle;
      expect(used.result).toBeInstanceOf(Promise);
    }
    await stopped;
    await expect(handle.result).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('is cancelled once by any number of calls, and cancelling what has ended changes nothing', async () => {
    const { handle, finish } = work();
    finish('done');
    await handle.result;
    await Promise.all([handle.cancel(), handle.cancel()]);
    expect(await handle.result).toBe('done');
  });

  it("ends as CANCELLED for the caller's signal, whatever its reason", async () => {
    const controller = new AbortController();
    const { handle } = work(controller.signal);
    controller.abort(new TypeError('mine'));
    await expect(handle.result).rejects.toMatchObject({ name: 'StagerError', code: 'CANCELLED' });
  });

  it('tells a later iteration what was too much to keep', async () => {
    const { handle, emit, finish } = work();
    for (const event of ['12345678', 'abc', 'de']) emit(event);
    finish('done');
    await handle.result;
    expect(await all(handle.events)).toEqual(['12345678', '1 left out', 'de']);
  });
});

describe('a run', () => {
  const main: RunResult['main'] = {
    source: { id: 'APP/PROC/WEB', index: 0 },
    report: { outcome: { kind: 'signalled', signal: 'SIGTERM' }, durationMs: 1 },
    exitCode: 143,
    lastLines: [],
  };
  const ended: RunResult = { end: { kind: 'stopped' }, exitCode: 143, main, sidecars: [] };

  /** Up until it is told to stop, in either way. */
  function run(signal?: AbortSignal) {
    const done = Promise.withResolvers<RunResult>();
    return openRun(signal === undefined ? {} : { signal }, async (io) => {
      io.signal.addEventListener('abort', () => done.resolve(ended));
      io.emit({ type: 'stopping', at: '', graceMs: 1, reason: { kind: 'requested' } });
      io.started({
        ready: Promise.resolve({ kind: 'healthy', afterMs: 1 }),
        done: done.promise,
        stop: async () => {
          done.resolve(ended);
          return await done.promise;
        },
        port: 8080,
      });
      return await done.promise;
    });
  }

  it('that is up ends as CANCELLED in each way of cancelling, as a staging does', async () => {
    const controller = new AbortController();
    const [asked, left, signalled] = [run(), run(), run(controller.signal)];
    for (const one of [asked, left, signalled])
      expect(await one.ready).toEqual({ healthy: true, port: 8080 });
    await asked.cancel();
    for await (const _ of left.events) break;
    controller.abort();
    for (const one of [asked, left, signalled]) {
      await expect(one.result).rejects.toMatchObject({ code: 'CANCELLED' });
    }
  });

  it('that is stopped tells how it ended, when its block is left as well', async () => {
    let result: Promise<RunResult>;
    {
      await using one = run();
      await one.ready;
      expect(await one.stop()).toBe(ended);
      ({ result } = one);
    }
    expect(await result).toBe(ended);
  });
});
