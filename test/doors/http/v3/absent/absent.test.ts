import { expect, it } from 'vitest';
import { describeApi, detailsIn } from '../../support/api.ts';

describeApi('what a server that only stages has none of', (api) => {
  it.each([
    'service_plans?available=true&include=service_offering&fields[service_offering.service_broker]=name',
    'deployments?app_guids=a&order_by=-created_at&page=1&per_page=1&status_values=ACTIVE',
    'service_route_bindings?route_guids=a&include=service_instance',
  ])('is an empty list: %s', async (path) => {
    const reply = await api().ask('GET', `/v3/${path}`);
    expect([reply.status, reply.body]).toMatchObject([
      200,
      { resources: [], pagination: { total_results: 0 } },
    ]);
  });

  it('refuses filters that are unknown, as other lists do', async () => {
    expect((await api().ask('GET', '/v3/tasks?colour=red')).status).toBe(400);
  });

  it('says plainly that nothing is deployed', async () => {
    const refused = await api().ask('POST', '/v3/deployments', { body: { strategy: 'rolling' } });
    expect([refused.status, detailsIn(refused).join()]).toEqual([422, expect.stringContaining('--strategy')]);
  });
});
