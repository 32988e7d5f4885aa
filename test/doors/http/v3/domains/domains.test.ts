import { expect, it } from 'vitest';
import { describeApi, detailsIn, resourcesIn } from '../../support/api.ts';
import { newDomain, newRoute, sharedDomain } from '../../support/routing.ts';

describeApi('/v3/domains', (api) => {
  it('has a shared domain from the start, which is the default one', async () => {
    const path = `/v3/organizations/${api().world.organization}/domains/default`;
    expect((await api().ask('GET', path)).body).toMatchObject({
      name: 'apps.localhost',
      relationships: { organization: { data: null } },
    });
  });

  it('lists for an organization its own and the shared ones', async () => {
    const { organization, otherOrganization } = api().world;
    const own = await newDomain(api(), organization);
    const of = async (guid: string) =>
      resourcesIn(await api().ask('GET', `/v3/organizations/${guid}/domains?per_page=5000`)).map(
        ({ guid: domain }) => domain,
      );
    expect(await of(organization)).toContain(own);
    expect(await of(otherOrganization)).not.toContain(own);
    expect(await of(otherOrganization)).toContain(await sharedDomain(api()));
  });

  it.each(['nodots', 'under_score.test', '.test', `${'a'.repeat(64)}.test`, 'a..b'])(
    'refuses the name %s',
    async (name) => {
      const refused = await api().ask('POST', '/v3/domains', { body: { name } });
      expect([refused.status, detailsIn(refused)]).toEqual([
        422,
        ['Name does not comply with RFC 1035 standards'],
      ]);
    },
  );

  it('refuses a name that is taken', async () => {
    const refused = await api().ask('POST', '/v3/domains', { body: { name: 'APPS.localhost' } });
    expect([refused.status, detailsIn(refused)]).toEqual([
      422,
      ['The domain name "APPS.localhost" is already in use'],
    ]);
  });

  it('goes with its routes, in a job', async () => {
    const domain = await newDomain(api());
    const body = {
      host: 'x',
      relationships: { space: { data: { guid: api().world.space } }, domain: { data: { guid: domain } } },
    };
    const { guid } = (await api().ask('POST', '/v3/routes', { body })).body;
    await api().job(await api().ask('DELETE', `/v3/domains/${domain}`));
    expect((await api().ask('GET', `/v3/routes/${String(guid)}`)).status).toBe(404);
  });

  it('tells whether an address is taken', async () => {
    const route = (await api().ask('GET', `/v3/routes/${await newRoute(api())}`)).body;
    const asked = async (host: unknown) =>
      (
        await api().ask(
          'GET',
          `/v3/domains/${await sharedDomain(api())}/route_reservations?host=${String(host)}`,
        )
      ).body['matching_route'];
    expect(await asked(route['host'])).toBe(true);
    expect(await asked('free')).toBe(false);
  });
});
