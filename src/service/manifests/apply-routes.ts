/** The routes that a manifest asks for: named ones, a default one, a random one, or none. */
import { randomInt } from 'node:crypto';
import type { Guid } from '../../words/ids.ts';
import type { App } from '../resources/apps.ts';
import { type Domain, defaultDomain } from '../resources/domains.ts';
import { addDestination, createRoute, routeAt } from '../resources/routes.ts';
import type { Queries } from '../state/database.ts';
import type { AppManifest, RouteManifest } from './app-manifest.ts';
import { ManifestFailure } from './failure.ts';

/** @throws ManifestFailure. */
export async function applyRoutes(queries: Queries, app: App, manifest: AppManifest): Promise<void> {
  if (manifest['no-route'] === true) {
    await queries.deleteFrom('route_destinations').where('app_guid', '=', app.guid).execute();
    return;
  }
  if (manifest.routes !== undefined && manifest.routes !== null && manifest.routes.length > 0) {
    for (const wish of manifest.routes) await mapNamed(queries, app, wish);
    return;
  }
  const isRandom = manifest['random-route'] === true;
  if (!isRandom && manifest['default-route'] !== true) return;
  if (await hasRoute(queries, app.guid)) return;
  const domain = await defaultDomain(queries);
  if (domain === undefined)
    throw new ManifestFailure(`For application '${app.name}': No default domain available`);
  const host = isRandom ? `${hostOf(app.name)}-${randomWords()}` : hostOf(app.name);
  await map(queries, app, { domain, host, path: '', options: {} });
}

/** `Shop & Co` → `Shop-Co`: a name keeps its case, as Cloud Controller has it. */
function hostOf(name: string): string {
  const host = name
    .replace(/[^a-zA-Z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63);
  return host === '' ? 'app' : host;
}

const ADJECTIVES = ['bold', 'brave', 'bright', 'calm', 'clever', 'eager', 'fast', 'fresh', 'kind', 'lucid'];
const NOUNS = ['badger', 'bear', 'crane', 'fox', 'gecko', 'heron', 'koala', 'lynx', 'otter', 'wombat'];

function randomWords(): string {
  const pick = (words: readonly string[]): string => words[randomInt(words.length)] ?? '';
  return `${pick(ADJECTIVES)}-${pick(NOUNS)}-${randomInt(1e6).toString(36)}`;
}

async function hasRoute(queries: Queries, app: Guid): Promise<boolean> {
  const found = await queries
    .selectFrom('route_destinations')
    .select('guid')
    .where('app_guid', '=', app)
    .executeTakeFirst();
  return found !== undefined;
}

async function mapNamed(queries: Queries, app: App, wish: RouteManifest): Promise<void> {
  const who = `For application '${app.name}'`;
  const [, name = '', port, path = ''] =
    /^(?:https?:\/\/|tcp:\/\/)?([^/:?]+)(?::(\d+))?(\/[^?]*)?$/i.exec(wish.route) ?? [];
  if (name === '')
    throw new ManifestFailure(`${who}: The route '${wish.route}' is not a properly formed URL`);
  if (port !== undefined)
    throw new ManifestFailure(`${who}: stager does not have TCP routes (${wish.route})`);
  const found = await domainOf(queries, app, name.toLowerCase());
  if (found === undefined) {
    throw new ManifestFailure(`${who}: The route '${wish.route}' did not match any existing domains.`);
  }
  if (found.host === '' && found.domain.organization_guid === null) {
    throw new ManifestFailure(`${who}: Missing host. Routes in shared domains must have a host defined.`);
  }
  await map(queries, app, { ...found, path: path === '/' ? '' : path, options: wish.options ?? {} });
}

/** The longest domain that the address ends with, of those that the app's organization may use. */
async function domainOf(
  queries: Queries,
  app: App,
  address: string,
): Promise<{ readonly domain: Domain; readonly host: string } | undefined> {
  const domains = await queries
    .selectFrom('domains')
    .selectAll()
    .where((eb) =>
      eb.or([
        eb('organization_guid', 'is', null),
        eb(
          'organization_guid',
          '=',
          eb.selectFrom('spaces').select('organization_guid').where('guid', '=', app.space_guid),
        ),
      ]),
    )
    .execute();
  const fitting = domains
    .filter(({ name }) => address === name || address.endsWith(`.${name}`))
    .toSorted((a, b) => b.name.length - a.name.length);
  const [domain] = fitting;
  if (domain === undefined) return undefined;
  return { domain, host: address.slice(0, -domain.name.length).replace(/\.$/, '') };
}

interface Address {
  readonly domain: Domain;
  readonly host: string;
  readonly path: string;
  readonly options: Readonly<Record<string, string>>;
}

async function map(queries: Queries, app: App, { domain, host, path, options }: Address): Promise<void> {
  const address = { domain: domain.guid, host, path };
  const there = await routeAt(queries, address);
  if (there !== undefined && there.space_guid !== app.space_guid) {
    throw new ManifestFailure(
      `For application '${app.name}': Routes cannot be mapped to destinations in different spaces`,
    );
  }
  const route = there?.guid ?? (await createRoute(queries, { ...address, space: app.space_guid, options }));
  const guid = route ?? (await routeAt(queries, address))?.guid;
  if (guid === undefined)
    throw new Error(`a route vanished while it was made: ${host}.${domain.name}${path}`);
  await addDestination(queries, guid, { app: app.guid, processType: 'web' });
}
