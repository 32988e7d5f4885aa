/** What a script writes → `output` events, in order, live, without secrets. */
import type { Clock } from '../clock.ts';
import type { PhaseRef, Report } from '../events.ts';
import { type Line, LineSplitter } from '../logs/lines.ts';
import { createRedactor, type Redact } from '../logs/redact.ts';

/** A filter for whole lines, and the length of text a piece must hold back so that no secret is cut in two. */
export interface SecretFilter {
  readonly redact: Redact;
  /** How many characters at the end of `text` could be the start of a secret. */
  readonly openEnd: (text: string) => number;
}

/** The filter for `secrets` and for user info in URLs. */
export function secretFilter(secrets: readonly string[]): SecretFilter {
  const redact = createRedactor(secrets);
  const parts = [...new Set(secrets.flatMap((it) => [it, ...it.split('\n')]))].filter((it) => it.length > 1);
  return {
    redact,
    openEnd: (text) => {
      const url = /[a-z][a-z0-9+.-]*:\/\/[^\s/?#'"<>\\@]*$/i.exec(text.slice(-4096));
      let held = url === null ? 0 : (url[0]?.length ?? 0);
      for (const part of parts) {
        for (let length = Math.min(part.length - 1, text.length); length > held; length -= 1) {
          if (text.endsWith(part.slice(0, length))) {
            held = length;
            break;
          }
        }
      }
      return held;
    },
  };
}

/** Both streams of one script. Call {@link ScriptOutput.end} when it has ended. */
export class ScriptOutput {
  readonly #splitters: { readonly stdout: LineSplitter; readonly stderr: LineSplitter };

  constructor(phase: PhaseRef, filter: SecretFilter, io: { readonly report: Report; readonly clock: Clock }) {
    const splitter = (stream: 'stdout' | 'stderr'): LineSplitter => {
      let held = '';
      const onLine = (line: Line): void => {
        const text = held + line.text;
        const keep = line.partial ? filter.openEnd(text) : 0;
        held = text.slice(text.length - keep);
        const shown = text.slice(0, text.length - keep);
        if (line.partial && shown === '') return;
        const clean = filter.redact(shown);
        io.report({ type: 'output', phase, stream, text: clean, ...(line.partial && { partial: true }) });
      };
      return new LineSplitter({ clock: io.clock, onLine });
    };
    this.#splitters = { stdout: splitter('stdout'), stderr: splitter('stderr') };
  }

  write(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this.#splitters[stream].write(chunk);
  }

  end(): void {
    this.#splitters.stdout.end();
    this.#splitters.stderr.end();
  }
}
