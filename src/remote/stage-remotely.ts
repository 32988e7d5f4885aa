/**
 * A staging on a server, told as a local one: the app is sent, a build is made of it and followed, and what it tells
 * becomes the caller's events. However it ends, the server does not go on with a build that nobody waits for.
 */
import { z } from 'zod';
import { demandOutputFile } from '../machine/host/output-file.ts';
import { type CreateProgress, gather } from '../staging/package/create.ts';
import type { StageRequest } from '../staging/request/request.ts';
import { openSource } from '../staging/source/open.ts';
import { asStagerError } from '../words/error-report.ts';
import { cancelled, StagerError, throwIfCancelled } from '../words/errors.ts';
import type { Emit } from '../words/events.ts';
import type { Guid } from '../words/ids.ts';
import type { StagingRecord } from '../words/staging-record.ts';
import { MEBIBYTE } from '../words/units.ts';
import { demandRemote } from './demand-remote.ts';
import { downloadDroplet } from './download-droplet.ts';
import { beginBuild, endBuild, finalDroplet } from './final-droplet.ts';
import { follow } from './follow.ts';
import { ask, hostOf, type RemoteParts } from './http.ts';
import { type ServerLinks, serverLinks } from './links.ts';
import { sendPackage } from './send-package.ts';
import { chooseSpace, findOrCreateApp, type Place } from './space.ts';
import { Telling } from './telling.ts';
import { watchQueue } from './watch-queue.ts';

/** Where to stage. */
export interface ServerTarget extends Place {
  readonly url: string;
}

export interface RemotePorts extends Omit<RemoteParts, 'signal'> {
  /** File of the stat cache of an app's source. */
  readonly statCache: (app: Guid) => string;
  /** Milliseconds that only go forward. */
  readonly now: () => number;
}

/**
 * Stages one app on a server.
 *
 * @throws StagerError as a local staging, and SERVER_*, NOT_SIGNED_IN; `staging-ended` was emitted before.
 */
export async function stageOnServer(
  request: StageRequest,
  target: ServerTarget,
  ports: RemotePorts,
  io: { readonly signal: AbortSignal; readonly emit: Emit },
): Promise<StagingRecord> {
  const telling = new Telling(request, target.url, io.emit);
  try {
    if (request.output !== undefined) await demandOutputFile(request.output);
    throwIfCancelled(io.signal);
    if (request.cache === 'none') demandRemote(['noCache']);
    const record = await run({ request, target, parts: { ...ports, signal: io.signal }, ports, telling });
    await telling.staged(record);
    return record;
  } catch (thrown) {
    const error = io.signal.aborted ? cancelled(io.signal) : asStagerError(thrown);
    await telling.failed(error);
    throw error;
  }
}

interface Running {
  readonly request: StageRequest;
  readonly target: ServerTarget;
  readonly parts: RemoteParts;
  readonly ports: RemotePorts;
  readonly telling: Telling;
}

async function run(running: Running): Promise<StagingRecord> {
  const { request, target, parts, telling } = running;
  const links = await serverLinks(parts, target.url);
  if (links.stager === undefined) throw notOurs(links);
  const place = { name: request.app.name, space: await chooseSpace(parts, links.api, target) };
  const app = await findOrCreateApp(parts, links.api, place);
  if (request.cache === 'clear') await clearCache(parts, links.api, app);
  const guid = await packaged(running, links, app);
  const build = await createBuild(running, links.api, guid);
  const url = `${links.api}/builds/${build}`;
  const waits = new AbortController();
  const signal = AbortSignal.any([parts.signal, waits.signal]);
  const watching = watchQueue({ ...parts, signal }, url, (place) => telling.waiting(place));
  try {
    for await (const event of follow(parts, `${links.stager}/builds/${build}/events`)) {
      waits.abort();
      await telling.take(event, build);
    }
    const droplet = await finalDroplet(parts, url, () => telling.failure);
    const location = `${links.api}/droplets/${droplet}/download`;
    const record = telling.recordOf(build, { guid: droplet, location });
    if (request.output !== undefined)
      await downloadDroplet(parts, { location, record, file: request.output });
    return record;
  } catch (error) {
    if (parts.signal.aborted) await endBuild(parts, url);
    throw error;
  } finally {
    waits.abort();
    await watching;
  }
}

/** The package to stage: one that is there, or what the source holds. */
async function packaged(running: Running, links: ServerLinks, app: Guid): Promise<Guid> {
  const { request, parts, ports, telling } = running;
  const { source, ignoreStyle, diskMb } = request;
  if (source.kind === 'package') return source.guid;
  const begun = ports.now();
  const limits = { maxBytes: diskMb * MEBIBYTE, raise: '--disk' };
  const opened = await openSource(source.path, { ignoreStyle, limits });
  const statCachePath = ports.statCache(app);
  const onProgress = (progress: CreateProgress): void => telling.sending(progress);
  const gathered = await gather(opened, { signal: parts.signal, statCachePath, onProgress });
  const onBytes = (bytes: number, totalBytes: number): void =>
    telling.sending({ step: 'send', bytes, totalBytes });
  const sent = await sendPackage({ remote: parts, links, app, onBytes }, opened, gathered);
  telling.sent(sent, Math.round(ports.now() - begun));
  return sent.guid;
}

async function createBuild({ request, parts }: Running, api: string, guid: Guid): Promise<Guid> {
  const { buildpacks, stack, env, memoryMb, diskMb } = request;
  const body = {
    package: { guid },
    lifecycle: {
      type: 'buildpack',
      data: { buildpacks, ...(stack !== 'host' && { stack }) },
    },
    staging_memory_in_mb: memoryMb,
    staging_disk_in_mb: diskMb,
    environment_variables: env,
  };
  return await beginBuild(parts, api, body);
}

async function clearCache(parts: RemoteParts, api: string, app: Guid): Promise<void> {
  const url = `${api}/apps/${app}/actions/clear_buildpack_cache`;
  await ask(parts, { method: 'POST', url }, z.unknown());
}

function notOurs({ api }: ServerLinks): StagerError {
  return new StagerError('SERVER_UNAVAILABLE', `${hostOf(api)} is not a stager server`, {
    next: 'Use the cf client there: cf push.',
    details: { url: api },
  });
}
