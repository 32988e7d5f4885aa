/** What every lifecycle stages a build with, and what comes out: the row of a droplet. */
import type { Insertable } from 'kysely';
import type { Clock } from '../../words/clock.ts';
import { StagerError } from '../../words/errors.ts';
import { newGuid } from '../../words/ids.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { json, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import type { BuildsTable, DropletsTable } from '../state/schema-apps.ts';
import type { BuildLog } from './build-log.ts';
import type { BuildTelemetry } from './build-telemetry.ts';
import type { StagingMeans } from './means.ts';

export type BuildRow = Row<BuildsTable>;
/** An image has no bytes here. */
export type NewDroplet = Insertable<DropletsTable>;

export interface StageBuildParts {
  readonly queries: Queries;
  readonly means: StagingMeans;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly told: BuildTelemetry;
}

/** What a droplet has of its build. */
export function dropletOf(build: BuildRow) {
  return {
    guid: newGuid(),
    app_guid: build.app_guid,
    package_guid: build.package_guid,
    build_guid: build.guid,
    state: 'STAGED' as const,
    lifecycle_type: build.lifecycle_type,
    lifecycle_data: json(build.lifecycle_data),
    stack: build.lifecycle_data.stack,
  };
}

/** The app and the package, as they are now. @throws StagerError PACKAGE_NOT_FOUND. */
export async function sourceOf(build: BuildRow, queries: Queries) {
  const app = await queries
    .selectFrom('apps')
    .select(['guid', 'name', 'space_guid', 'deleting'])
    .where('guid', '=', build.app_guid)
    .executeTakeFirst();
  const source = await queries
    .selectFrom('packages')
    .select(['content_guid', 'data'])
    .where('guid', '=', build.package_guid)
    .executeTakeFirst();
  if (app === undefined || app.deleting) throw sourceGone('the app was deleted');
  if (source === undefined) throw sourceGone('the package was deleted');
  return { app, source };
}

/** What was to be staged is not there any more. */
export function sourceGone(message: string): StagerError {
  return new StagerError('PACKAGE_NOT_FOUND', message, { next: 'Push the app again.' });
}
