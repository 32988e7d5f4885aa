/** What operators are told of a process while it works: a log for machines, and traces. Both are nothing by default. */

/** Facts of one entry: ids and figures, never what an app wrote or was given. */
export type LogFacts = Readonly<Record<string, string | number | boolean | null>>;

export interface Log {
  info(what: string, facts: LogFacts): void;
  error(what: string, facts: LogFacts): void;
}

/** A time that something took, in a tree of such. */
export interface TraceSpan {
  /** As W3C's `traceparent`: what another process begins its own spans below. Empty: there is none. */
  readonly traceparent: string;
  set(facts: LogFacts): void;
  /** `failed`: the name of an error. */
  end(failed?: string): void;
}

export interface TraceSpanOptions {
  readonly kind?: 'server' | 'consumer' | 'internal';
  /** What it is a part of, as `traceparent`. */
  readonly parent?: string | undefined;
  /** Milliseconds since the epoch, where it began before now. */
  readonly startedAt?: number;
  readonly facts?: LogFacts;
}

export interface Tracer {
  start(name: string, options?: TraceSpanOptions): TraceSpan;
  /** Sends what was not sent yet. */
  close(): Promise<void>;
}

export interface Telemetry {
  readonly log: Log;
  readonly tracer: Tracer;
}

const NO_SPAN: TraceSpan = { traceparent: '', set: () => undefined, end: () => undefined };

export const NO_TRACER: Tracer = { start: () => NO_SPAN, close: () => Promise.resolve() };

export const NO_TELEMETRY: Telemetry = {
  log: { info: () => undefined, error: () => undefined },
  tracer: NO_TRACER,
};
