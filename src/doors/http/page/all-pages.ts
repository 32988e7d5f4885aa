/** All pages, as data like the API's routes. They are not part of the API, so no document lists them. */
import type { ServedRoute } from '../route/route.ts';
import { appPage } from './app.ts';
import { appsPage } from './apps.ts';
import { asset } from './assets.ts';
import { buildLines, buildPage } from './build.ts';
import { dropletPage } from './droplet.ts';
import { dropletDiffPage } from './droplet-diff.ts';
import { platformPage } from './platform.ts';
import { queuePage } from './queue.ts';
import { savedPage } from './saved.ts';
import { signInPages } from './sign-in.ts';

export const PAGES: readonly ServedRoute[] = [
  asset,
  ...signInPages,
  appsPage,
  appPage,
  buildPage,
  buildLines,
  dropletPage,
  dropletDiffPage,
  platformPage,
  queuePage,
  savedPage,
];
