/** One sandboxed command of a run: a process, a sidecar or a task; its log lines, its signals and its end. */

import type { ExitReport } from '../../machine/sandbox/port/exit-report.ts';
import type { Sandbox, SandboxSpec } from '../../machine/sandbox/port/sandbox.ts';
import type { Clock } from '../../words/clock.ts';
import { StagerError } from '../../words/errors.ts';
import { type Line, LineSplitter } from '../logs/lines.ts';
import type { Redact } from '../logs/redact.ts';
import type { EmitRun, LogSource } from './events.ts';
import { exitCodeOf } from './exit-code.ts';

/** How one command of a run ended. */
export interface InstanceEnd {
  readonly source: LogSource;
  readonly report: ExitReport;
  readonly exitCode: number;
  /** The last lines that it wrote, oldest first, for a message about a crash. */
  readonly lastLines: readonly string[];
}

/** What an instance needs. */
export interface InstancePorts {
  readonly sandbox: Sandbox;
  readonly clock: Clock;
  readonly emit: EmitRun;
  readonly redact: Redact;
}

/** Until SIGTERM is sent again to a command that was not there yet. */
const AGAIN_MS = 50;
const LAST_LINES = 20;
const LAST_LINE_CHARACTERS = 1024;

/** A command that was started. */
export class Instance {
  readonly source: LogSource;
  /** Rejects with STACK_INVALID when there is no bash, or with what the sandbox threw. */
  readonly ended: Promise<InstanceEnd>;
  readonly #spec: SandboxSpec;
  readonly #ports: InstancePorts;
  readonly #killer = new AbortController();
  readonly #lastLines: string[] = [];
  #lastIsOpen = false;
  /** Asked for by whoever took the last line. */
  #taken: unknown;
  #over = false;
  #callOff: (() => void) | undefined;

  constructor(source: LogSource, spec: SandboxSpec, ports: InstancePorts) {
    this.source = source;
    this.#spec = spec;
    this.#ports = ports;
    this.ended = this.#run();
  }

  get alive(): boolean {
    return !this.#over;
  }

  /**
   * SIGTERM to the command itself. What can't be told to stop is killed.
   *
   * A sandbox that is still being made has no command that could get the signal, so it is sent until it arrives.
   */
  async terminate(): Promise<void> {
    if (this.#over) return;
    try {
      const sent = await this.#ports.sandbox.signal(this.#spec.owner, 'SIGTERM');
      if (!sent && this.alive)
        this.#callOff = this.#ports.clock.schedule(AGAIN_MS, () => void this.terminate());
    } catch (error) {
      this.#ports.emit({
        type: 'warning',
        at: this.#now(),
        code: 'signal-failed',
        message: `SIGTERM did not reach ${this.source.id}: ${error instanceof Error ? error.message : String(error)}`,
      });
      this.kill();
    }
  }

  /** SIGKILL to the command and everything it started. */
  kill(): void {
    this.#killer.abort();
  }

  async #run(): Promise<InstanceEnd> {
    const stdout = this.#splitter('stdout');
    const stderr = this.#splitter('stderr');
    const report = await this.#ports.sandbox
      .run(this.#spec, {
        signal: this.#killer.signal,
        onOutput: (stream, chunk) => {
          (stream === 'stdout' ? stdout : stderr).write(chunk);
          return this.#taken;
        },
      })
      .finally(() => {
        this.#over = true;
        this.#callOff?.();
        stdout.end();
        stderr.end();
      });
    if (report.outcome.kind === 'not-started') throw this.#notStarted(report.outcome.reason);
    const exitCode = exitCodeOf(report.outcome);
    const { source } = this;
    this.#ports.emit({ type: 'exited', at: this.#now(), source, outcome: report.outcome, exitCode });
    return { source, report, exitCode, lastLines: this.#lastLines };
  }

  #splitter(stream: 'stdout' | 'stderr'): LineSplitter {
    const { clock, emit, redact } = this.#ports;
    const onLine = (line: Line): void => {
      const text = redact(line.text);
      this.#remember(text, line.partial);
      const partial = line.partial ? { partial: true } : {};
      this.#taken = emit({ type: 'log', at: this.#now(), source: this.source, stream, text, ...partial });
    };
    return new LineSplitter({ clock, onLine });
  }

  #remember(text: string, partial: boolean): void {
    const begun = this.#lastIsOpen ? (this.#lastLines.pop() ?? '') : '';
    this.#lastLines.push((begun + text).slice(0, LAST_LINE_CHARACTERS));
    this.#lastIsOpen = partial;
    if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
  }

  #notStarted(reason: string): StagerError {
    const [program] = this.#spec.argv;
    return new StagerError('STACK_INVALID', `${program} of the stack could not be started: ${reason}`, {
      next: 'A droplet is launched by bash: use a stack that has it.',
      phase: 'launch',
      details: { program, reason, rootfs: this.#spec.rootfs },
    });
  }

  #now(): string {
    return new Date(this.#ports.clock.now()).toISOString();
  }
}
