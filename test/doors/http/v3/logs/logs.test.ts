import { expect, it } from 'vitest';
import { type Api, describeApi, guidIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';
import { readyPackage, staged } from '../../support/builds.ts';

const OLDEST = '-6795364578871345152';

async function build(api: Api, variables: Readonly<Record<string, string>>, fields: object = {}) {
  const app = await newApp(api, { environment_variables: variables });
  return { app, guid: guidIn(await staged(api, await readyPackage(api, app), fields)) };
}

function textsIn(text: string): readonly string[] {
  return [...text.matchAll(/"payload":"([^"]*)"/g)].map(([, payload = '']) =>
    Buffer.from(payload, 'base64').toString(),
  );
}

describeApi('logs', (api) => {
  it('are read as cf does: the newest line, then all from there on, to the last', async () => {
    const { app } = await build(api(), { FAKE_LINES: '3' });
    const newest = await api().ask('GET', `/api/v1/read/${app}?descending=true&limit=1&start_time=${OLDEST}`);
    expect(textsIn(newest.text)).toEqual(['line 3']);
    const all = await api().ask('GET', `/api/v1/read/${app}?envelope_types=LOG&start_time=${OLDEST}`);
    expect(textsIn(all.text)).toEqual(['line 1', 'line 2', 'line 3']);
    const [last = ''] = [...all.text.matchAll(/"timestamp":"(\d+)"/g)].map(([, at]) => at ?? '').slice(-1);
    const next = await api().ask('GET', `/api/v1/read/${app}?start_time=${BigInt(last) + 1n}`);
    expect(next.body).toEqual({ envelopes: { batch: [] } });
  });

  it('are followed as events, from the line after the last one that a client has', async () => {
    const { guid } = await build(api(), { FAKE_LINES: '3' });
    const all = await api().ask('GET', `/v3/builds/${guid}/logs`);
    expect(all.text.match(/^id: \d+$/gm)).toEqual(['id: 1', 'id: 2', 'id: 3']);
    expect(all.text).toMatch(/event: end\n/);
    const headers = { 'last-event-id': '2' };
    const rest = await api().ask('GET', `/v3/builds/${guid}/logs`, { headers });
    expect(rest.text.match(/^id: \d+$/gm)).toEqual(['id: 3']);
  });

  it('come with what the staging told, in the form of --json', async () => {
    const { guid } = await build(api(), { FAKE_LINES: '2' });
    const told = await api().ask('GET', `/stager/v1/builds/${guid}/events`);
    expect(told.text.match(/^data: .*"text":"line \d"/gm)).toHaveLength(2);
    expect(told.text).toMatch(/^id: 1\nevent: event\ndata: \{"type":"output"/m);
    expect(told.text).toMatch(/event: end\n/);
    const rest = await api().ask('GET', `/stager/v1/builds/${guid}/events?after=1&follow=false`);
    expect(rest.text.match(/^id: \d+$/gm)).toEqual(['id: 2']);
    const denied = await api().ask('GET', `/stager/v1/builds/${guid}/events`, { as: 'outsider' });
    expect(denied.status).toBe(404);
  });

  it('are counted for each app that somebody sees', async () => {
    const { app } = await build(api(), { FAKE_LINES: '3' });
    const seen = await api().ask('GET', '/api/v1/meta', { as: 'space_developer' });
    expect(seen.body).toMatchObject({
      meta: { [app]: { count: expect.stringMatching(/^\d+$/), expired: '0' } },
    });
    const unseen = await api().ask('GET', '/api/v1/meta', { as: 'outsider' });
    expect(unseen.text).not.toContain(app);
  });

  it('say what a limit of the rate dropped', async () => {
    const fields = { staging_log_rate_limit_bytes_per_second: 10 };
    const { app } = await build(api(), { FAKE_LINES: '200' }, fields);
    const all = await api().ask('GET', `/api/v1/read/${app}?limit=1000&start_time=${OLDEST}`);
    expect(textsIn(all.text).at(-1)).toMatch(
      /^\d+ bytes of the log were dropped: the limit is 10 bytes a second$/,
    );
  });

  it('outlive the app', async () => {
    const { app, guid } = await build(api(), {});
    await api().job(await api().ask('DELETE', `/v3/apps/${app}`));
    expect((await api().ask('GET', `/v3/builds/${guid}`)).status).toBe(404);
    const log = await api().ask('GET', `/v3/builds/${guid}/logs`, { as: 'space_developer' });
    expect(log.text).toMatch(/line 1/);
    expect((await api().ask('GET', `/v3/builds/${guid}/logs`, { as: 'outsider' })).status).toBe(404);
  });
});
