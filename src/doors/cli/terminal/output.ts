/** Where the command line tool writes: everything for a person or a pipe goes through here. */
import type { OwnStream } from './streams.ts';

type Stream = Pick<OwnStream, 'write' | 'isTTY' | 'columns'> &
  Partial<Pick<OwnStream, 'writableNeedDrain' | 'once'>>;

/** How a command talks to its caller. */
export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** True when stdout is a terminal and neither --json nor --quiet asked for less. */
  readonly live: boolean;
  readonly colour: boolean;
  /** One line on stdout. */
  line(text: string): void;
  /** One line on stderr. */
  note(text: string): void;
  /** Bytes as they are, on either stream. */
  raw(stream: 'stdout' | 'stderr', text: string): void;
  /** One JSON object as one line on stdout. */
  object(value: unknown): void;
  /** Settles when the reader has caught up; undefined: it is not behind. */
  ready(): Promise<void> | undefined;
}

/** What decides the style of the output. */
export interface OutputOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** https://no-color.org: present and not empty means no colour. */
  readonly noColor: boolean;
}

/** An output over the given streams. */
export function createOutput(options: OutputOptions): Output {
  const { stdout, stderr, json = false, quiet = false, verbose = false } = options;
  const terminal = stdout.isTTY === true;
  // One for all: a thousand lines may ask before the first is read.
  let behind: Promise<void> | undefined;
  return {
    json,
    quiet,
    verbose,
    live: terminal && !json && !quiet,
    colour: terminal && !options.noColor && !json,
    line: (text) => void stdout.write(`${text}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    raw: (stream, text) => void (stream === 'stdout' ? stdout : stderr).write(text),
    object: (value) => void stdout.write(`${JSON.stringify(value)}\n`),
    ready: () => {
      behind ??= (caughtUp(stdout) ?? caughtUp(stderr))?.finally(() => {
        behind = undefined;
      });
      return behind;
    },
  };
}

function caughtUp(stream: Stream): Promise<void> | undefined {
  const { once, writableNeedDrain } = stream;
  if (writableNeedDrain !== true || once === undefined) return undefined;
  return new Promise((resolve) => {
    // A reader who is gone needs nothing more.
    for (const event of ['drain', 'close', 'error']) once.call(stream, event, () => resolve());
  });
}
