/** One build from its row to a droplet: what to stage, with what, and what came out. */
import { parseReference } from '../../staging/buildpack/contract/reference.ts';
import { dropletKey } from '../../staging/droplet/store.ts';
import type { StageRequest } from '../../staging/request/request.ts';
import type { Clock } from '../../words/clock.ts';
import { StagerError } from '../../words/errors.ts';
import { type Guid, newGuid } from '../../words/ids.ts';
import { detectedOf, type ResultBuildpack, resultSidecars } from '../../words/result.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { placeOf, servicesOfApp, urisOf } from '../resources/app-environment.ts';
import { json, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import type { BuildsTable } from '../state/schema-apps.ts';
import type { BuildLog } from './build-log.ts';
import type { BuildTelemetry } from './build-telemetry.ts';
import { EventLines } from './event-lines.ts';
import { orderParts } from './installed-buildpacks.ts';
import type { StagingMeans } from './means.ts';
import { DEFAULT_PHASE_MS, PhaseDeadline } from './phase-deadline.ts';

export type BuildRow = Row<BuildsTable>;

export interface StageBuildParts {
  readonly queries: Queries;
  readonly means: StagingMeans;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly told: BuildTelemetry;
}

/** @throws StagerError. */
export async function stageBuild(build: BuildRow, parts: StageBuildParts): Promise<StagingRecord> {
  const { queries, means, log, clock, metrics, told } = parts;
  using deadline = new PhaseDeadline(clock, {
    totalMs: means.defaults.timeoutMs,
    phaseMs: DEFAULT_PHASE_MS,
  });
  const signal = AbortSignal.any([parts.signal, deadline.signal]);
  const { rootfs, request } = await requestOf(build, parts);
  const count = metrics.ofStaging();
  const lines = new EventLines((stream, text) => log.line(stream, text));
  const buildpacks = orderParts({
    queries,
    blobs: await means.blobs(),
    local: await means.buildpacks(signal),
    temp: means.uploads,
    stack: build.lifecycle_data.stack,
    signal,
    say: (text) => log.line('stdout', text),
  });
  return await means.stage(
    { ...request, stack: rootfs },
    {
      signal,
      buildpacks,
      emit: (event) => {
        deadline.take(event);
        count(event);
        told.take(event);
        lines.take(event);
        log.event(event);
      },
    },
  );
}

async function requestOf(
  build: BuildRow,
  { queries, means }: StageBuildParts,
): Promise<{ readonly rootfs: string; readonly request: Omit<StageRequest, 'stack'> }> {
  const app = await queries
    .selectFrom('apps')
    .select(['guid', 'name', 'space_guid', 'deleting'])
    .where('guid', '=', build.app_guid)
    .executeTakeFirst();
  const source = await queries
    .selectFrom('packages')
    .select(['content_guid'])
    .where('guid', '=', build.package_guid)
    .executeTakeFirst();
  if (app === undefined || app.deleting) throw gone('the app was deleted');
  const content = source?.content_guid ?? undefined;
  if (content === undefined) throw gone('the package was deleted');
  const { buildpacks, stack } = build.lifecycle_data;
  for (const text of buildpacks) demandRemote(text);
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

function gone(message: string): StagerError {
  return new StagerError('PACKAGE_NOT_FOUND', message, { next: 'Push the app again.' });
}

/** The row of the droplet that a build made. */
export function dropletRow(build: BuildRow, record: StagingRecord) {
  const { result, droplet } = record;
  const buildpacks: readonly ResultBuildpack[] = result.lifecycle_metadata.buildpacks;
  const detected = detectedOf(result);
  return {
    guid: newGuid(),
    app_guid: build.app_guid,
    package_guid: build.package_guid,
    build_guid: build.guid,
    state: 'STAGED' as const,
    lifecycle_type: build.lifecycle_type,
    lifecycle_data: json(build.lifecycle_data),
    stack: build.lifecycle_data.stack,
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
    content_key: contentKey(record.app.guid, droplet.guid),
  };
}

function contentKey(app: Guid, droplet: Guid): string {
  return dropletKey(app, droplet).name;
}
