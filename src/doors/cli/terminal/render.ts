/** BuildEvents → lines for people, or one JSON object a line. */
import { stripVTControlCharacters } from 'node:util';
import { createColors } from 'picocolors';
import type { BuildEvent, PhaseRef } from '../../../words/events.ts';
import { phaseName } from '../../../words/phases.ts';
import { formatDuration } from '../../../words/units.ts';
import { oneLine } from './harmless.ts';
import type { Output } from './output.ts';
import { quietRenderer } from './render-quiet.ts';
import { createStatusLine, type StatusLine } from './status-line.ts';
import { summary } from './summary.ts';

/** Phases whose scripts speak for themselves: they get a heading, and a closing line with the time. */
const SPEAKING = new Set<PhaseRef['name']>(['detect', 'supply', 'finalize', 'compile', 'release']);

/** Takes the events of one staging. */
export interface Renderer {
  show(event: BuildEvent): void;
  /** Takes a live status line away. Call it before anything else is written, and at the end. */
  clear(): void;
}

/** A renderer in the style that the output asks for. */
export async function createRenderer(output: Output): Promise<Renderer> {
  if (output.json) return { show: (event) => output.object(event), clear: () => {} };
  if (output.quiet) return quietRenderer(output);
  const status = await createStatusLine(output);
  return new PersonRenderer(output, status);
}

class PersonRenderer implements Renderer {
  readonly #output: Output;
  readonly #status: StatusLine;
  readonly #colours: ReturnType<typeof createColors>;
  /** Where a line has begun and not ended. */
  #openLine: 'stdout' | 'stderr' | undefined;

  constructor(output: Output, status: StatusLine) {
    this.#output = output;
    this.#status = status;
    this.#colours = createColors(output.colour);
  }

  clear(): void {
    this.#status.clear();
    this.#closeLine();
  }

  show(event: BuildEvent): void {
    switch (event.type) {
      case 'staging-started':
        this.#print(`Staging ${oneLine(event.source)} on stack ${event.stack} (${event.sandbox})`);
        break;
      case 'waiting':
        if (this.#output.live) this.#status.show(waitingText(event));
        else this.#print(waitingText(event));
        break;
      case 'phase-started':
        if (SPEAKING.has(event.phase.name)) this.#print(this.#colours.bold(`==> ${phaseName(event.phase)}`));
        else this.#status.show(phaseName(event.phase));
        break;
      case 'progress':
        this.#status.progress(phaseName(event.phase), event);
        break;
      case 'output':
        this.#script(event);
        break;
      case 'warning':
        this.#print(`${this.#colours.yellow('warning')} ${oneLine(event.message)}`, 'stderr');
        break;
      case 'phase-ended':
        this.#ended(event);
        break;
      case 'staging-ended':
        this.clear();
        if (event.outcome === 'staged')
          for (const line of ['', ...summary(event.record, this.#output)]) this.#output.line(line);
    }
  }

  #script(event: Extract<BuildEvent, { type: 'output' }>): void {
    this.#status.clear();
    // Plain where the rest is plain; --json has the text as it was written.
    const text = this.#output.colour ? event.text : stripVTControlCharacters(event.text);
    this.#output.raw(event.stream, event.partial === true ? text : `${text}\n`);
    this.#openLine = event.partial === true ? event.stream : undefined;
  }

  #ended(event: Extract<BuildEvent, { type: 'phase-ended' }>): void {
    const { phase, outcome, note } = event;
    if (outcome === 'skipped' && !this.#output.verbose) return;
    const time = outcome === 'skipped' ? 'skipped' : formatDuration(event.durationMs);
    const text = `${phaseName(phase)}: ${note === undefined ? '' : `${note}, `}${outcome === 'failed' ? 'failed after ' : ''}${time}`;
    this.#print(
      SPEAKING.has(phase.name) ? this.#colours.dim(`    ${text}`) : `${this.#colours.bold('==>')} ${text}`,
    );
  }

  #print(text: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    this.clear();
    this.#output.raw(stream, `${text}\n`);
  }

  #closeLine(): void {
    if (this.#openLine !== undefined) this.#output.raw(this.#openLine, '\n');
    this.#openLine = undefined;
  }
}

/** `waits for a worker: number 3, about 40.0s (2 builds are before it)`. */
function waitingText({ position, expectedWaitMs, reason }: Extract<BuildEvent, { type: 'waiting' }>): string {
  const wait = expectedWaitMs === undefined ? '' : `, about ${formatDuration(expectedWaitMs)}`;
  return `waits for a worker: number ${position}${wait} (${oneLine(reason)})`;
}
