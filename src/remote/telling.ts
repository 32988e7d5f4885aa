/** What a staging on a server tells the caller: the server's events and what happened here, in the order of a local staging. */

import type { CreateProgress } from '../staging/package/create.ts';
import { sourceProgress } from '../staging/package/source-progress.ts';
import type { StageRequest } from '../staging/request/request.ts';
import { errorReport } from '../words/error-report.ts';
import { StagerError } from '../words/errors.ts';
import type { BuildEvent, Emit } from '../words/events.ts';
import { type Guid, newGuid } from '../words/ids.ts';
import type { StagingRecord } from '../words/staging-record.ts';
import { formatBytes, formatCount } from '../words/units.ts';
import { hostOf } from './http.ts';
import { serverUrl } from './links.ts';
import type { SentPackage } from './send-package.ts';
import type { QueueState } from './watch-queue.ts';

/** See the top of the file. */
export class Telling {
  readonly #request: StageRequest;
  readonly #server: string;
  readonly #emit: Emit;
  #sent: { readonly package: SentPackage; readonly durationMs: number } | undefined;
  #started = false;
  #record: StagingRecord | undefined;
  #error: Extract<BuildEvent, { outcome: 'failed' | 'cancelled' }> | undefined;

  constructor(request: StageRequest, server: string, emit: Emit) {
    this.#request = request;
    this.#server = hostOf(serverOr(server));
    this.#emit = emit;
  }

  /** What the staging itself failed with. */
  get failure(): StagerError | undefined {
    if (this.#error === undefined) return undefined;
    const { code, message, next, blame, phase, details } = this.#error.error;
    return new StagerError(code, message, {
      blame,
      details,
      ...(next !== undefined && { next }),
      ...(phase !== undefined && { phase }),
    });
  }

  /** How far the app is on its way: before all other events, since the build is made when it is there. */
  sending(progress: CreateProgress): void {
    this.#emit({ ...sourceProgress(progress), at: now() });
  }

  /** Where the build is in the queue, as long as nobody stages it. */
  waiting(place: QueueState): void {
    if (!this.#started) this.#emit({ type: 'waiting', at: now(), ...place });
  }

  sent(sent: SentPackage, durationMs: number): void {
    this.#sent = { package: sent, durationMs };
  }

  async take(event: BuildEvent, build: Guid): Promise<void> {
    if (event.type === 'staging-started') await this.#start({ ...event, build });
    else if (event.type !== 'staging-ended') await this.#emit(event);
    // The end is reported when the droplet is available. An attempt that a restart of the server cut off does not count.
    else if (event.outcome === 'staged') [this.#record, this.#error] = [event.record, undefined];
    else this.#error = event;
  }

  /** The record of the staging, with what is known here. @throws StagerError when the server told none. */
  recordOf(build: Guid, droplet: { readonly guid: Guid; readonly location: string }): StagingRecord {
    const record = this.#record;
    if (record === undefined) {
      throw new StagerError('SERVER_UNAVAILABLE', 'the server did not tell how the staging went', {
        next: 'The log of the build has more.',
      });
    }
    const { launch, notes = [] } = this.#request;
    const sending = this.#sent;
    const source = { phase: { name: 'source' as const }, outcome: 'done' };
    return {
      ...record,
      build,
      source: this.#source(),
      droplet: { ...record.droplet, ...droplet },
      durationMs: record.durationMs + (sending?.durationMs ?? 0),
      phases: [
        ...(sending === undefined ? [] : [{ ...source, durationMs: sending.durationMs }]),
        ...record.phases,
      ],
      warnings: [...notes, ...record.warnings],
      ...(launch !== undefined && { launch }),
    };
  }

  async staged(record: StagingRecord): Promise<void> {
    await this.#emit({ type: 'staging-ended', at: now(), outcome: 'staged', record });
  }

  async failed(error: StagerError): Promise<void> {
    const stack = this.#request.stack;
    if (!this.#started)
      await this.#start({
        type: 'staging-started',
        at: now(),
        build: newGuid(),
        source: '',
        stack,
        sandbox: '',
      });
    const outcome = error.code === 'CANCELLED' ? 'cancelled' : 'failed';
    const result = this.#error?.result;
    const report = errorReport(error);
    await this.#emit({
      type: 'staging-ended',
      at: now(),
      outcome,
      error: report,
      ...(result !== undefined && { result }),
    });
  }

  async #start(event: Extract<BuildEvent, { type: 'staging-started' }>): Promise<void> {
    // The second one is that of a build that was taken up again.
    if (this.#started) return;
    this.#started = true;
    const sandbox = [event.sandbox, `at ${this.#server}`].filter((words) => words !== '').join(', ');
    await this.#emit({ ...event, source: this.#source(), sandbox });
    for (const message of this.#request.notes ?? [])
      await this.#emit({ type: 'warning', at: event.at, code: 'request', message });
    if (this.#sent === undefined) return;
    const { package: sent, durationMs } = this.#sent;
    const phase = { name: 'source' } as const;
    const note = `${formatCount(sent.files, 'file')}, ${formatBytes(sent.bytes)}, ${formatBytes(sent.sentBytes)} sent`;
    await this.#emit({ type: 'phase-started', at: event.at, phase });
    await this.#emit({ type: 'phase-ended', at: event.at, phase, outcome: 'done', durationMs, note });
  }

  #source(): string {
    const { source } = this.#request;
    return source.kind === 'path' ? source.path : `package ${source.guid}`;
  }
}

function now(): string {
  return new Date().toISOString();
}

function serverOr(address: string): string {
  try {
    return serverUrl(address);
  } catch {
    return 'http://unknown';
  }
}
