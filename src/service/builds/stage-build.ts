/** One build from its row to a droplet: what to stage, with what, and what came out. */
import { parseReference } from '../../staging/buildpack/contract/reference.ts';
import { dropletKey } from '../../staging/droplet/store.ts';
import type { StageRequest } from '../../staging/request/request.ts';
import { StagerError } from '../../words/errors.ts';
import type { BuildEvent } from '../../words/events.ts';
import { detectedOf, type ResultBuildpack, resultSidecars } from '../../words/result.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import { placeOf, servicesOfApp, urisOf } from '../resources/app-environment.ts';
import { json } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { EventLines } from './event-lines.ts';
import { orderParts } from './installed-buildpacks.ts';
import { DEFAULT_PHASE_MS, PhaseDeadline } from './phase-deadline.ts';
import { forPeopleOfCf } from './registry-advice.ts';
import { stageImage } from './stage-image.ts';
import {
  type BuildRow,
  dropletOf,
  type NewDroplet,
  type StageBuildParts,
  sourceGone,
  sourceOf,
} from './stage-parts.ts';

/** @throws StagerError. */
export async function stageBuild(build: BuildRow, parts: StageBuildParts): Promise<NewDroplet> {
  return build.lifecycle_type === 'docker'
    ? await stageImage(build, parts)
    : dropletRow(build, await stagePackage(build, parts));
}

async function stagePackage(build: BuildRow, parts: StageBuildParts): Promise<StagingRecord> {
  const { queries, means, log, clock, metrics, told } = parts;
  using deadline = new PhaseDeadline(clock, {
    totalMs: means.defaults.timeoutMs,
    phaseMs: DEFAULT_PHASE_MS,
  });
  const signal = AbortSignal.any([parts.signal, deadline.signal]);
  const { rootfs, request } = await requestOf(build, parts);
  const count = metrics.ofStaging();
  const lines = new EventLines((stream, text) => log.line(stream, text));
  const emit = (event: BuildEvent): void => {
    deadline.take(event);
    count(event);
    told.take(event);
    lines.take(event);
    log.event(event);
  };
  const placed = { ...request, stack: rootfs };
  if (build.lifecycle_type === 'cnb') {
    const credentials = build.registry_credentials ?? {};
    const onNote = (text: string): void => log.line('stdout', text);
    return await means
      .stageWithCnbs(placed, { signal, emit, credentials, onNote })
      .catch((error: unknown) => {
        throw forPeopleOfCf(error, 'cnb');
      });
  }
  const buildpacks = orderParts({
    queries,
    blobs: await means.blobs(),
    local: await means.buildpacks(signal),
    temp: means.uploads,
    stack: stackOf(build),
    signal,
    say: (text) => log.line('stdout', text),
  });
  return await means.stage(placed, { signal, buildpacks, emit });
}

async function requestOf(
  build: BuildRow,
  { queries, means }: StageBuildParts,
): Promise<{ readonly rootfs: string; readonly request: Omit<StageRequest, 'stack'> }> {
  const { app, source } = await sourceOf(build, queries);
  const content = source.content_guid ?? undefined;
  if (content === undefined) throw sourceGone('the package was deleted');
  const { buildpacks } = build.lifecycle_data;
  const stack = stackOf(build);
  if (build.lifecycle_type === 'buildpack') for (const text of buildpacks) demandRemote(text);
  const { memoryMb: _, diskMb: __, rootfs, workers: ___, ...defaults } = means.defaults;
  return {
    rootfs: await rootfsOf(queries, stack, rootfs),
    request: {
      ...defaults,
      source: { kind: 'package', guid: content },
      app: {
        guid: app.guid,
        name: app.name,
        uris: await urisOf(queries, app.guid),
        ...(await placeOf(queries, app)),
      },
      buildpacks,
      cfStack: stack,
      env: build.environment,
      services: await servicesOfApp(queries, app.guid),
      memoryMb: build.staging_memory_in_mb,
      diskMb: build.staging_disk_in_mb,
      cache: 'use',
      reuse: false,
      keep: 'never',
      ignoreStyle: 'cf',
      trace: false,
    },
  };
}

async function rootfsOf(queries: Queries, stack: string, fallback: string): Promise<string> {
  const row = await queries
    .selectFrom('stacks')
    .select('rootfs')
    .where('name', '=', stack)
    .executeTakeFirst();
  return row?.rootfs ?? fallback;
}

/** A directory or file would be one of this machine: only names and addresses may be asked for from afar. */
function demandRemote(text: string): void {
  const reference = parseReference(text, { cwd: '/' });
  const { kind } = reference;
  const remote =
    kind === 'installed' || kind === 'url' || (kind === 'git' && !/^file:/i.test(reference.address.url));
  if (remote) return;
  throw new StagerError('BUILDPACK_NOT_FOUND', `${JSON.stringify(text)} is not a buildpack`, {
    next: 'Give the name of an installed buildpack, or the URL of an archive or a git repository.',
  });
}

function stackOf({ guid, lifecycle_data: { stack } }: BuildRow): string {
  if (stack === null) throw new Error(`the build ${guid} has no stack`);
  return stack;
}

/** The row of the droplet that a build made. */
function dropletRow(build: BuildRow, record: StagingRecord): NewDroplet {
  const { result, droplet } = record;
  const buildpacks: readonly ResultBuildpack[] = result.lifecycle_metadata.buildpacks;
  const detected = detectedOf(result);
  return {
    ...dropletOf(build),
    buildpacks: json(
      buildpacks.map(({ key, name, version }, index) => ({
        name: key,
        detect_output: index === buildpacks.length - 1 && detected !== '' ? detected : null,
        buildpack_name: name === '' ? null : name,
        version: version ?? null,
      })),
    ),
    process_types: json(result.process_types ?? {}),
    sidecars: json(resultSidecars(result)),
    execution_metadata: result.execution_metadata,
    sha1: droplet.sha1,
    sha256: droplet.sha256,
    size_in_bytes: droplet.sizeBytes,
    content_key: dropletKey(record.app.guid, droplet.guid).name,
  };
}
