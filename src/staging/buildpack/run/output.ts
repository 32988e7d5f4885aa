/** Output of a script → `output` events, live, in order, without secrets. */
import type { Clock } from '../../../words/clock.ts';
import type { PhaseRef, Report } from '../../../words/events.ts';
import { type Line, LineSplitter } from '../../logs/lines.ts';
import { createRedactor, type Redact } from '../../logs/redact.ts';

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
      let held = openUserInfo(text.slice(-MAX_HELD));
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

/** Longest user info that is held back until its `@` has come. */
const MAX_HELD = 4096;

/** Length of an end of `tail` that may be the beginning of a URL with user info. In one pass: scripts choose the text. */
function openUserInfo(tail: string): number {
  if (tail.endsWith(':/')) return 2;
  const begin = tail.lastIndexOf('://');
  if (begin === -1 || /[\s/?#'"<>\\@]/.test(tail.slice(begin + 3))) return 0;
  const scheme = /[a-z][a-z0-9+.-]{0,15}$/i.exec(tail.slice(Math.max(0, begin - 16), begin))?.[0] ?? '';
  return tail.length - begin + scheme.length;
}

/** Both streams of one script. Call {@link ScriptOutput.end} when it has ended. */
export class ScriptOutput {
  /** Asked for by whoever took the last line. */
  #taken: unknown;
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
        this.#taken = io.report({
          type: 'output',
          phase,
          stream,
          text: clean,
          ...(line.partial && { partial: true }),
        });
      };
      return new LineSplitter({ clock: io.clock, onLine });
    };
    this.#splitters = { stdout: splitter('stdout'), stderr: splitter('stderr') };
  }

  /** @returns what the script has to wait for. */
  write(stream: 'stdout' | 'stderr', chunk: Buffer): unknown {
    this.#splitters[stream].write(chunk);
    return this.#taken;
  }

  end(): void {
    this.#splitters.stdout.end();
    this.#splitters.stderr.end();
  }
}
