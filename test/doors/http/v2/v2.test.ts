import { expect, it } from 'vitest';
import { describeApi, guidIn, resourcesIn } from '../support/api.ts';
import { newApp } from '../support/apps.ts';

describeApi('the little of v2', (api) => {
  it('answers an empty list of apps in the shape of v2', async () => {
    const { text } = await api().ask('GET', '/v2/apps', { as: 'outsider' });
    expect(JSON.parse(text)).toEqual({
      total_results: 0,
      total_pages: 1,
      prev_url: null,
      next_url: null,
      resources: [],
    });
  });

  it('lists apps and stacks in pages', async () => {
    await newApp(api());
    await newApp(api());
    const { body } = await api().ask('GET', '/v2/apps?page=1&results-per-page=1');
    expect(body).toMatchObject({ total_results: 2, next_url: '/v2/apps?page=2&results-per-page=1' });
    const name = `stack-${crypto.randomUUID()}`;
    await api().ask('POST', '/v3/stacks', { body: { name } });
    const stacks = resourcesIn(await api().ask('GET', '/v2/stacks'));
    expect(stacks.map(({ entity }) => entity)).toContainEqual({ name, description: null });
  });

  it('creates a space, and deletes it only when it is empty or all of it may go', async () => {
    const body = { name: 'by-v2', organization_guid: api().world.organization };
    const created = await api().ask('POST', '/v2/spaces', { body });
    expect(created.body).toMatchObject({ entity: body });
    const again = await api().ask('POST', '/v2/spaces', { body });
    expect(again.status).toBe(400);
    expect(again.body).toMatchObject({ error_code: 'CF-UniquenessError', code: 10016 });
    const space = guidIn({ ...created, body: { ...Object(created.body['metadata']) } });
    const relationships = { space: { data: { guid: space } } };
    await api().ask('POST', '/v3/apps', { body: { name: 'inside', relationships } });
    const refused = await api().ask('DELETE', `/v2/spaces/${space}`);
    expect(refused.status).toBe(400);
    expect(refused.body['error_code']).toBe('CF-AssociationNotEmpty');
    expect((await api().ask('DELETE', `/v2/spaces/${space}?recursive=true`)).status).toBe(204);
    expect((await api().ask('GET', `/v3/spaces/${space}`)).status).toBe(404);
  });

  it('words failures as v2 does: below /v2, and for what there is not outside of /v3', async () => {
    const signedOut = await api().ask('GET', '/v2/apps', { as: 'nobody' });
    expect(signedOut.status).toBe(401);
    expect(signedOut.body).toEqual({
      description: 'Authentication error',
      error_code: 'CF-NotAuthenticated',
      code: 10002,
    });
    for (const path of ['/v2/banana', '/some-random-path']) {
      const { status, body } = await api().ask('GET', path);
      expect(status).toBe(404);
      expect(body).toEqual({ description: 'Unknown request', error_code: 'CF-NotFound', code: 10000 });
    }
  });
});
