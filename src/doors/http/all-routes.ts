/** All routes. The server, the documents and the permission tests read this list. */
import { eventRoutes } from './operations/event-routes.ts';
import { operationRoutes } from './operations/routes.ts';
import { webhookRoutes } from './operations/webhook-routes.ts';
import type { ServedRoute } from './route/route.ts';
import { clientRoutes } from './uaa/client-routes.ts';
import { loginRoutes } from './uaa/login-routes.ts';
import { tokenRoutes } from './uaa/token-routes.ts';
import { userRoutes } from './uaa/user-routes.ts';
import { v2BindingRoutes } from './v2/binding-routes.ts';
import { v2Routes } from './v2/routes.ts';
import { v2ServiceRoutes } from './v2/service-routes.ts';
import { absentRoutes } from './v3/absent/routes.ts';
import { appActionRoutes } from './v3/apps/action-routes.ts';
import { appDropletRoutes } from './v3/apps/droplet-routes.ts';
import { appEnvironmentRoutes } from './v3/apps/environment-routes.ts';
import { appRoutes } from './v3/apps/routes.ts';
import { auditEventRoutes } from './v3/audit-events/routes.ts';
import { buildpackRoutes } from './v3/buildpacks/routes.ts';
import { buildRoutes } from './v3/builds/routes.ts';
import { domainRoutes } from './v3/domains/routes.ts';
import { dropletBitsRoutes } from './v3/droplets/bits-routes.ts';
import { dropletRoutes } from './v3/droplets/routes.ts';
import { environmentGroupRoutes } from './v3/environment-groups/routes.ts';
import { featureFlagRoutes } from './v3/feature-flags/routes.ts';
import { jobRoutes } from './v3/jobs/routes.ts';
import { buildLogRoutes } from './v3/logs/build-logs.ts';
import { logCacheRoutes } from './v3/logs/log-cache.ts';
import { manifestRoutes } from './v3/manifests/routes.ts';
import { organizationRoutes } from './v3/organizations/routes.ts';
import { packageBitsRoutes } from './v3/packages/bits-routes.ts';
import { packageRoutes } from './v3/packages/routes.ts';
import { processRoutes } from './v3/processes/routes.ts';
import { quotaRoutes } from './v3/quotas/routes.ts';
import { roleRoutes } from './v3/roles/routes.ts';
import { rootRoutes } from './v3/root/routes.ts';
import { destinationRoutes } from './v3/routing/destination-routes.ts';
import { routeRoutes } from './v3/routing/routes.ts';
import { serviceBindingRoutes } from './v3/services/binding-routes.ts';
import { serviceInstanceRoutes } from './v3/services/instance-routes.ts';
import { spacePartRoutes } from './v3/spaces/part-routes.ts';
import { spaceRoutes } from './v3/spaces/routes.ts';
import { stackRoutes } from './v3/stacks/routes.ts';
import { v3UserRoutes } from './v3/users/routes.ts';

export const ROUTES: readonly ServedRoute[] = [
  ...packageRoutes,
  ...packageBitsRoutes,
  ...buildRoutes,
  ...dropletRoutes,
  ...dropletBitsRoutes,
  ...buildpackRoutes,
  ...logCacheRoutes,
  ...buildLogRoutes,
  ...rootRoutes,
  ...jobRoutes,
  ...organizationRoutes,
  ...spaceRoutes,
  ...spacePartRoutes,
  ...roleRoutes,
  ...featureFlagRoutes,
  ...quotaRoutes,
  ...stackRoutes,
  ...v3UserRoutes,
  ...appRoutes,
  ...appEnvironmentRoutes,
  ...appDropletRoutes,
  ...appActionRoutes,
  ...processRoutes,

  ...loginRoutes,
  ...tokenRoutes,
  ...clientRoutes,
  ...userRoutes,
  ...v2Routes,
  ...v2ServiceRoutes,
  ...v2BindingRoutes,
  ...manifestRoutes,
  ...serviceInstanceRoutes,
  ...serviceBindingRoutes,
  ...environmentGroupRoutes,
  ...auditEventRoutes,
  ...operationRoutes,
  ...eventRoutes,
  ...webhookRoutes,
  ...absentRoutes,
  ...domainRoutes,
  ...routeRoutes,
  ...destinationRoutes,
];
