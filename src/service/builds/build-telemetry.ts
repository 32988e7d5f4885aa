/** What the log and the traces are told of one attempt at a build: how long it waited, its phases, and how it ended. */
import type { BuildEvent } from '../../words/events.ts';
import type { LogFacts, Telemetry, TraceSpan } from '../../words/telemetry.ts';
import type { BuildRow } from './stage-parts.ts';

/** See the top of the file. */
export class BuildTelemetry {
  readonly #telemetry: Telemetry;
  readonly #facts: LogFacts;
  readonly #span: TraceSpan;
  #phase: TraceSpan | undefined;

  constructor(telemetry: Telemetry, build: BuildRow) {
    this.#telemetry = telemetry;
    this.#facts = {
      build: build.guid,
      app: build.app_guid,
      request: build.trace.request ?? null,
      worker: build.worker_name,
      attempt: build.attempts,
    };
    const { parent } = build.trace;
    const { tracer, log } = telemetry;
    const wait = tracer.start('build wait', {
      parent,
      startedAt: build.created_at.getTime(),
      facts: this.#facts,
    });
    wait.end();
    this.#span = tracer.start('build', { parent, kind: 'consumer', facts: this.#facts });
    log.info('build begins', this.#facts);
  }

  take(event: BuildEvent): void {
    if (event.type === 'phase-started') {
      const { name, buildpack } = event.phase;
      this.#phase = this.#telemetry.tracer.start(`phase ${name}`, {
        parent: this.#span.traceparent,
        facts: { build: this.#facts['build'] ?? null, phase: name, buildpack: buildpack ?? null },
      });
    } else if (event.type === 'phase-ended') {
      this.#phase?.end(event.outcome === 'failed' ? 'failed' : undefined);
      this.#phase = undefined;
    }
  }

  /** `error`: its name in Cloud Controller's table. */
  end(outcome: string, ms: number, error?: string): void {
    this.#phase?.end(error);
    this.#span.set({ outcome });
    this.#span.end(error);
    const facts = { ...this.#facts, outcome, ms, ...(error !== undefined && { error }) };
    if (error === 'StagerError') this.#telemetry.log.error('build ends', facts);
    else this.#telemetry.log.info('build ends', facts);
  }
}
