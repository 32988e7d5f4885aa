/** Every route there is. The server, the documents and the permission tests read this list. */
import type { Route } from './route/route.ts';
import { jobRoutes } from './v3/jobs/routes.ts';
import { organizationRoutes } from './v3/organizations/routes.ts';
import { rootRoutes } from './v3/root/routes.ts';

export const ROUTES: readonly Route[] = [...rootRoutes, ...jobRoutes, ...organizationRoutes];
