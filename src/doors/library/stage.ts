/** The library's `stage`: typed options in, a handle out. No global state, no output, no process.exit. */
import { openStager } from '../../compose.ts';
import { writeJsonFile } from '../../config/json-file.ts';
import { demandOutputFile } from '../../machine/host/output-file.ts';
import { demandRemote } from '../../remote/demand-remote.ts';
import { resultDocument, type StagingEnded } from '../../staging/droplet/result-document.ts';
import { stageApp } from '../../staging/stage.ts';
import type { BuildEvent } from '../../words/events.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import { type Handle, openHandle } from './handle.ts';
import type { QueueLimit } from './kept-events.ts';
import { configOf, requestOf, type StageOptions } from './options.ts';

/** An event without its text, in characters. */
const BARE = 200;
/** What the scripts of a staging write has no bound, and who only awaits the result reads none of it. */
export const UNREAD_EVENTS: QueueLimit<BuildEvent> = {
  maxWeight: 16 * 1024 * 1024,
  weight: (event) => {
    if (event.type === 'progress') return BARE;
    return event.type === 'output' ? event.text.length + BARE : 0;
  },
  leftOut: (count) => ({
    type: 'warning',
    at: new Date().toISOString(),
    code: 'output-not-kept',
    message: `${count} events with output or progress were dropped: 16 Mi characters are waiting to be read`,
  }),
};

/** A staging in progress; the last event is `staging-ended`. */
export type StagingHandle = Handle<BuildEvent, StagingRecord>;

/** Stages an app. Several at once in one process are fine. */
export function stage(options: StageOptions = {}): StagingHandle {
  const { signal, onEvent } = options;
  return openHandle<BuildEvent, StagingRecord>({
    signal,
    onEvent,
    limit: UNREAD_EVENTS,
    run: (io) => stageWith(options, io),
  });
}

async function stageWith(
  options: StageOptions,
  io: { readonly signal: AbortSignal; readonly emit: (event: BuildEvent) => void },
): Promise<StagingRecord> {
  const { signal } = io;
  const config = await configOf(options);
  const request = await requestOf(options, config);
  if (options.result !== undefined) await demandOutputFile(options.result);
  await using stager = openStager(config);
  let ended: StagingEnded | undefined;
  const emit = (event: BuildEvent): void => {
    if (event.type === 'staging-ended') ended = event;
    io.emit(event);
  };
  try {
    const { server } = options;
    if (server === undefined)
      return await stageApp(request, await stager.stagePorts(signal), { signal, emit });
    demandRemote(Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [key])));
    const { stageOnServer } = await import('../../remote/stage-remotely.ts');
    const ports = await stager.remotePorts(server.url, signal, server.token);
    return await stageOnServer(request, server, ports, { signal, emit });
  } finally {
    if (options.result !== undefined && ended !== undefined) {
      await writeJsonFile(options.result, resultDocument(ended));
    }
  }
}
