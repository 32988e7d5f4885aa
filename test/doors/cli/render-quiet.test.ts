import { describe, expect, it } from 'vitest';
import { createOutput } from '../../../src/doors/cli/terminal/output.ts';
import { createRenderer } from '../../../src/doors/cli/terminal/render.ts';
import type { BuildEvent } from '../../../src/words/events.ts';

const at = '2026-01-01T00:00:00.000Z';
const phase = { name: 'supply', index: 0, buildpack: 'nodejs' } as const;
const started: BuildEvent = { type: 'phase-started', at, phase };
const ended = (outcome: 'done' | 'failed'): BuildEvent => ({
  type: 'phase-ended',
  at,
  phase,
  outcome,
  durationMs: 1,
});
const wrote = (text: string, partial = false): BuildEvent => ({
  type: 'output',
  at,
  phase,
  stream: 'stdout',
  text,
  ...(partial && { partial }),
});

async function written(
  events: readonly BuildEvent[],
): Promise<{ readonly out: string; readonly err: string }> {
  const seen = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({
    isTTY: false,
    columns: 80,
    write: (text: string | Uint8Array) => {
      seen[name] += String(text);
      return true;
    },
  });
  const options = { stdout: stream('out'), stderr: stream('err'), noColor: true, quiet: true };
  const renderer = await createRenderer(createOutput(options));
  for (const event of events) renderer.show(event);
  return seen;
}

describe('--quiet', () => {
  it('says nothing of scripts that do their work', async () => {
    expect(await written([started, wrote('fine'), ended('done')])).toEqual({ out: '', err: '' });
  });

  it('shows what a script wrote last before it failed, and nothing of the one before', async () => {
    const lines = Array.from({ length: 30 }, (_, index) => wrote(`line ${index}`));
    const events = [
      started,
      wrote('other'),
      ended('done'),
      started,
      ...lines,
      wrote('no ', true),
      wrote('end'),
    ];
    const { out, err } = await written([...events, ended('failed')]);
    expect(out).toBe('');
    const shown = err.trimEnd().split('\n');
    expect(shown).toHaveLength(20);
    expect(shown.slice(-2)).toEqual(['line 29', 'no end']);
  });
});
