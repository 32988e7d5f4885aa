import { expect, it } from 'vitest';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';
import { newRoute, routeBody } from '../../support/routing.ts';

describeApi('/v3/routes', (api) => {
  it('leads to an app, once, and shows its address', async () => {
    const [app, body] = [await newApp(api()), { ...(await routeBody(api())), path: '/shop' }];
    const route = guidIn(await api().ask('POST', '/v3/routes', { body }));
    const destinations = { destinations: [{ app: { guid: app } }] };
    for (const _ of [1, 2]) {
      await api().ask('POST', `/v3/routes/${route}/destinations`, { body: destinations });
    }
    const [found, ...more] = resourcesIn(await api().ask('GET', `/v3/apps/${app}/routes`));
    expect(more).toEqual([]);
    expect(found).toMatchObject({
      url: `${body.host}.apps.localhost/shop`,
      destinations: [{ app: { guid: app, process: { type: 'web' } }, port: 8080 }],
    });
    await api().job(await api().ask('DELETE', `/v3/apps/${app}`));
    expect((await api().ask('GET', `/v3/routes/${route}`)).body['destinations']).toEqual([]);
  });

  it('replaces where it leads, and refuses apps of other spaces', async () => {
    const [one, two, route] = [await newApp(api()), await newApp(api()), await newRoute(api())];
    const patch = (guid: string) =>
      api().ask('PATCH', `/v3/routes/${route}/destinations`, {
        body: { destinations: [{ app: { guid } }] },
      });
    await patch(one);
    expect((await patch(two)).body['destinations']).toMatchObject([{ app: { guid: two } }]);
    const foreign = await newApp(api(), {
      relationships: { space: { data: { guid: api().world.otherSpace } } },
    });
    expect((await patch(foreign)).status).toBe(422);
    expect((await api().ask('GET', `/v3/routes/${route}`)).body['destinations']).toHaveLength(1);
  });

  it('refuses an address that is taken, and one without a host in a shared domain', async () => {
    const body = await routeBody(api());
    await api().ask('POST', '/v3/routes', { body });
    const again = await api().ask('POST', '/v3/routes', { body });
    expect(detailsIn(again)).toEqual([
      `Route already exists with host '${body.host}' for domain 'apps.localhost'.`,
    ]);
    const bare = await api().ask('POST', '/v3/routes', { body: { ...body, host: '' } });
    expect(detailsIn(bare)).toEqual(['Missing host. Routes in shared domains must have a host defined.']);
  });

  it.each([
    [{ host: 'a b' }, /^Host must be either/],
    [{ path: 'shop' }, /^Path must begin/],
    [{ path: '/a?b' }, /^Path must begin/],
  ])('refuses %j', async (wrong, words) => {
    const refused = await api().ask('POST', '/v3/routes', {
      body: { ...(await routeBody(api())), ...wrong },
    });
    expect([refused.status, detailsIn(refused).join()]).toEqual([422, expect.stringMatching(words)]);
  });

  it('bring their domain, space and organization along when asked', async () => {
    const route = await newRoute(api());
    const { world } = api();
    for (const path of [`/v3/routes/${route}`, `/v3/routes?guids=${route}`]) {
      const { body } = await api().ask(
        'GET',
        `${path}${path.includes('?') ? '&' : '?'}include=domain,space.organization`,
      );
      expect(body['included']).toEqual({
        domains: [expect.objectContaining({ name: 'apps.localhost' })],
        organizations: [expect.objectContaining({ guid: world.organization })],
      });
    }
    const { body } = await api().ask('GET', `/v3/routes/${route}?include=space`);
    expect(body['included']).toMatchObject({ spaces: [{ guid: world.space }] });
  });

  it('deletes those of a space that lead nowhere, and no others', async () => {
    const [free, used, app] = [await newRoute(api()), await newRoute(api()), await newApp(api())];
    await api().ask('POST', `/v3/routes/${used}/destinations`, {
      body: { destinations: [{ app: { guid: app } }] },
    });
    await api().job(await api().ask('DELETE', `/v3/spaces/${api().world.space}/routes?unmapped=true`));
    expect((await api().ask('GET', `/v3/routes/${free}`)).status).toBe(404);
    expect((await api().ask('GET', `/v3/routes/${used}`)).status).toBe(200);
  });
});
