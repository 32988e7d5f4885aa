/** Events of a staging as lines of its log, in the words that Cloud Foundry has for them where clients look for these. */
import type { BuildEvent } from '../../words/events.ts';

export type WriteLine = (stream: 'stdout' | 'stderr', text: string) => void;

/** Takes events in order. An open line is written when its end comes. */
export class EventLines {
  readonly #write: WriteLine;
  readonly #open = { stdout: '', stderr: '' };

  constructor(write: WriteLine) {
    this.#write = write;
  }

  take(event: BuildEvent): void {
    switch (event.type) {
      case 'output':
        this.#open[event.stream] += event.text;
        if (event.partial !== true) this.#end(event.stream);
        return;
      case 'warning':
        this.#write('stderr', `WARNING: ${event.message}`);
        return;
      case 'phase-started':
        this.#flush();
        for (const text of started(event.phase.name)) this.#write('stdout', text);
        return;
      case 'phase-ended':
        this.#flush();
        for (const text of ended(event)) this.#write('stdout', text);
        return;
      case 'staging-ended':
        this.#flush();
        if (event.outcome === 'staged') this.#write('stdout', 'Staging complete');
        else this.#write('stderr', failed(event.error));
        return;
      default:
        return;
    }
  }

  #flush(): void {
    for (const stream of ['stdout', 'stderr'] as const) if (this.#open[stream] !== '') this.#end(stream);
  }

  #end(stream: 'stdout' | 'stderr'): void {
    const text = this.#open[stream];
    this.#open[stream] = '';
    this.#write(stream, text);
  }
}

function started(phase: string): readonly string[] {
  if (phase === 'workspace') return ['Downloading app package...'];
  if (phase === 'restore-cache') return ['Downloading build artifacts cache...'];
  if (phase === 'droplet') return ['Uploading droplet...'];
  if (phase === 'save-cache') return ['Uploading build artifacts cache...'];
  return [];
}

function ended({ phase, outcome, note }: Extract<BuildEvent, { type: 'phase-ended' }>): readonly string[] {
  if (outcome !== 'done') return [];
  const facts = note === undefined ? '' : ` (${note})`;
  if (phase.name === 'workspace') return [`Downloaded app package${facts}`];
  if (phase.name === 'restore-cache') return [`Downloaded build artifacts cache${facts}`];
  if (phase.name === 'droplet') return [`Uploaded droplet${facts}`];
  if (phase.name === 'save-cache') return [`Uploaded build artifacts cache${facts}`];
  return [];
}

function failed({ message, next }: { readonly message: string; readonly next?: string }): string {
  return next === undefined ? `Staging failed: ${message}` : `Staging failed: ${message}. ${next}`;
}
