/**
 * Short words from one process to the others over the same database: that there is a build to take, that one was
 * cancelled, that there is more of a log. A word may be lost (a connection that breaks), so whoever waits for one also
 * looks by itself now and then; words only make it quick.
 */
import type { Guid } from '../../words/ids.ts';
import { parseGuid } from '../../words/ids.ts';

/** `queued`: a build waits. `cancelled`, `changed`: look at this build. `unknown`: words may have been lost. */
export type Signal =
  | { readonly kind: 'queued' | 'unknown' }
  | { readonly kind: 'cancelled' | 'changed'; readonly build: Guid };

export type SignalListener = (signal: Signal) => void;

/** See the top of the file. Words reach the sender too. */
export interface Signals {
  /** Never fails. */
  send(signal: Signal): void;
  /** @returns what ends it. */
  listen(listener: SignalListener): () => void;
  close(): Promise<void>;
}

/** For a database that one process has. */
export class LocalSignals implements Signals {
  readonly #listeners = new Set<SignalListener>();

  send(signal: Signal): void {
    for (const listener of this.#listeners) listener(signal);
  }

  listen(listener: SignalListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#listeners.clear();
    return Promise.resolve();
  }
}

export function signalText(signal: Signal): string {
  return 'build' in signal ? `${signal.kind} ${signal.build}` : signal.kind;
}

/** @returns undefined for what another version says. */
export function readSignal(text: string): Signal | undefined {
  const [kind, guid = ''] = text.split(' ');
  if (kind === 'queued' || kind === 'unknown') return { kind };
  const build = parseGuid(guid);
  if ((kind !== 'cancelled' && kind !== 'changed') || build === undefined) return undefined;
  return { kind, build };
}
