/** The phases of a build as bars on a time axis, each with its figures. */
import { html } from 'ghtml';
import { buildEventSchema } from '../../../remote/event-schema.ts';
import { phaseEventsOf } from '../../../service/builds/log-pages.ts';
import type { Build } from '../../../service/resources/builds.ts';
import type { Queries } from '../../../service/state/database.ts';
import type { PhaseRef } from '../../../words/events.ts';
import { parseJson } from '../../../words/json.ts';
import { phaseName } from '../../../words/phases.ts';
import { formatDuration } from '../../../words/units.ts';
import { chosen, grid, state } from './parts.ts';

/** Times in milliseconds; `startMs` since 1970. */
interface Bar {
  readonly phase: PhaseRef;
  readonly startMs: number;
  readonly durationMs: number;
  readonly outcome: 'done' | 'skipped' | 'failed' | 'runs';
  readonly note?: string | undefined;
}

export async function timelineOf(queries: Queries, build: Build): Promise<string> {
  const now = (build.finished_at ?? new Date()).getTime();
  const bars = barsOf(await phaseEventsOf(queries, build.guid), now);
  const [first] = bars;
  if (first === undefined) return '';
  const startMs = Math.min(...bars.map((bar) => bar.startMs));
  const wholeMs = Math.max(1, ...bars.map((bar) => bar.startMs + bar.durationMs - startMs));
  const rows = bars.map((bar) => [
    chosen(phaseName(bar.phase)),
    bar.outcome === 'runs' ? state('STAGING') : state(bar.outcome),
    formatDuration(bar.durationMs),
    drawn(bar, startMs, wholeMs),
    bar.note === undefined ? '' : chosen(bar.note),
  ]);
  const columns = ['Phase', 'Outcome', 'Took', 'When', 'Note'];
  return html`<h2>Phases</h2>!${grid({ caption: 'Phases', columns, rows, none: '' })}`;
}

/** What began and has not ended runs until now. */
function barsOf(events: readonly string[], now: number): readonly Bar[] {
  const bars: Bar[] = [];
  let open: { readonly phase: PhaseRef; readonly startMs: number } | undefined;
  for (const text of events) {
    const { data: event } = buildEventSchema.safeParse(parseJson(text));
    if (event?.type === 'phase-started') {
      // One that never ended was begun by a worker that died.
      if (open !== undefined) bars.push({ ...open, durationMs: 0, outcome: 'failed' });
      open = { phase: event.phase, startMs: Date.parse(event.at) };
    }
    if (event?.type !== 'phase-ended') continue;
    const { phase, durationMs, outcome, note } = event;
    bars.push({ phase, durationMs, outcome, note, startMs: Date.parse(event.at) - durationMs });
    open = undefined;
  }
  if (open !== undefined)
    bars.push({ ...open, durationMs: Math.max(0, now - open.startMs), outcome: 'runs' });
  return bars;
}

/** Its figures are in the table: the drawing says nothing more. */
function drawn({ startMs, durationMs, outcome }: Bar, from: number, wholeMs: number): string {
  const x = ((startMs - from) / wholeMs) * 100;
  const width = Math.max(0.5, (durationMs / wholeMs) * 100);
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">
    <rect class="track" width="100" height="8"/>
    <rect class="${outcome}" x="${x.toFixed(2)}" width="${Math.min(width, 100 - x + 0.5).toFixed(2)}" height="8"/>
  </svg>`;
}
