/** The work of every operation that runs as a job. */
import { z } from 'zod';
import type { StagingService } from '../../service/builds/staging-service.ts';
import { AppManifest } from '../../service/manifests/app-manifest.ts';
import { applyManifest } from '../../service/manifests/apply.ts';
import { ManifestFailure } from '../../service/manifests/failure.ts';
import type { JobTable } from '../../service/queue/jobs.ts';
import { deleteApp } from '../../service/resources/delete-app.ts';
import { deleteOrganization, deleteSpace } from '../../service/resources/delete-organization.ts';
import { deleteDomain } from '../../service/resources/domains.ts';
import { deleteRole } from '../../service/resources/roles.ts';
import { deleteRoute, deleteUnmappedRoutes } from '../../service/resources/routes.ts';
import { deleteUser } from '../../service/resources/users.ts';
import type { Database, Queries } from '../../service/state/database.ts';
import { type Guid, parseGuid } from '../../words/ids.ts';
import { unprocessable } from './route/cf-errors.ts';
import { stagingJobs } from './staging-jobs.ts';

export function jobTable({ queries }: Database, staging: StagingService): JobTable {
  const forgetting = (signal: AbortSignal) => (app: Guid) => staging.forgetApp(app, signal);
  return {
    ...stagingJobs(staging),
    'app.delete': async ({ guid }, signal) => {
      await deleteApp(queries, guidIn(guid), forgetting(signal));
    },
    'domain.delete': async ({ guid }) => {
      await deleteDomain(queries, guidIn(guid));
    },
    'route.delete': async ({ guid }) => {
      await deleteRoute(queries, guidIn(guid));
    },
    'space.delete-unmapped-routes': async ({ guid }) => {
      await deleteUnmappedRoutes(queries, guidIn(guid));
    },
    'space.apply_manifest': async ({ apps }) => {
      await applyAll(queries, apps);
    },
    'role.delete': async ({ guid }) => {
      await deleteRole(queries, guidIn(guid));
    },
    'user.delete': async ({ guid }) => {
      await deleteUser(queries, String(guid));
    },
    'space.delete': async ({ guid }, signal) => {
      await deleteSpace(queries, guidIn(guid), forgetting(signal));
    },
    'organization.delete': async ({ guid }, signal) => {
      await deleteOrganization(queries, guidIn(guid), forgetting(signal));
    },
  };
}

const Targets = z.array(z.object({ guid: z.string(), raw: z.record(z.string(), z.unknown()) }));

/** An app that was deleted meanwhile is left out. */
async function applyAll(queries: Queries, apps: unknown): Promise<void> {
  for (const { guid, raw } of Targets.parse(apps)) {
    const app = await queries
      .selectFrom('apps')
      .selectAll()
      .where('guid', '=', guidIn(guid))
      .executeTakeFirst();
    if (app === undefined) continue;
    try {
      await applyManifest(queries, app, AppManifest.parse(raw));
    } catch (error) {
      throw error instanceof ManifestFailure ? unprocessable(error.message) : error;
    }
  }
}

function guidIn(value: unknown) {
  const guid = typeof value === 'string' ? parseGuid(value) : undefined;
  if (guid === undefined) throw new Error(`a job without a guid: ${String(value)}`);
  return guid;
}
