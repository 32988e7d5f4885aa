/** Domains and routes for tests. */
import { type Api, guidIn, resourcesIn } from './api.ts';

/** The shared domain that every server has. */
export async function sharedDomain(api: Api): Promise<string> {
  const [domain] = resourcesIn(await api.ask('GET', '/v3/domains?names=apps.localhost'));
  return String(domain?.['guid']);
}

/** A new domain; of an organization when one is named. */
export async function newDomain(api: Api, organization?: string): Promise<string> {
  const relationships =
    organization === undefined ? {} : { relationships: { organization: { data: { guid: organization } } } };
  const body = { name: `d${crypto.randomUUID()}.test`, ...relationships };
  return guidIn(await api.ask('POST', '/v3/domains', { body }));
}

/** What makes a route in the world's space. */
export async function routeBody(api: Api) {
  return {
    host: `h-${crypto.randomUUID()}`,
    relationships: {
      space: { data: { guid: api.world.space } },
      domain: { data: { guid: await sharedDomain(api) } },
    },
  };
}

export async function newRoute(api: Api): Promise<string> {
  return guidIn(await api.ask('POST', '/v3/routes', { body: await routeBody(api) }));
}
