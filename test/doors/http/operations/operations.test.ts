import { expect, it } from 'vitest';
import { describeApi, guidIn } from '../support/api.ts';
import { newApp } from '../support/apps.ts';
import { readyPackage, staged } from '../support/builds.ts';

describeApi('what an operator asks', (api) => {
  it('is whether it lives and is ready', async () => {
    expect(await api().ask('GET', '/healthz', { as: 'nobody' })).toMatchObject({ status: 200 });
    expect(await api().ask('GET', '/readyz', { as: 'nobody' })).toMatchObject({
      status: 200,
      body: { status: 'ok', database: 'ok', blobstore: 'ok' },
    });
  });

  it('is figures, in the format of Prometheus', async () => {
    const app = await newApp(api());
    await staged(api(), await readyPackage(api(), app));
    const { text, headers } = await api().ask('GET', '/metrics', { as: 'nobody' });
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text).toMatch(/^stager_database_up 1$/m);
    expect(text).toMatch(/^stager_queue_depth 0$/m);
    expect(text).toMatch(/^stager_workers 1$/m);
    expect(text).toMatch(/^stager_workers_short_of_disk 0$/m);
    expect(text).toMatch(/^stager_builds_total\{outcome="staged",error=""\} 1$/m);
    expect(text).toMatch(
      /^stager_http_request_seconds_count\{method="POST",route="\/v3\/builds",status="201"\} 1$/m,
    );
    expect(text).not.toContain(app);
  });

  it('is figures of requests, pages and what is not there included', async () => {
    const headers = { accept: 'text/html' };
    for (const path of ['/sign-in', '/none', '/elsewhere'])
      await api().ask('GET', path, { as: 'nobody', headers });
    const { text } = await api().ask('GET', '/metrics', { as: 'nobody' });
    for (const [route, status, count] of [
      ['/sign-in', 200, 1],
      ['none', 404, 2],
    ]) {
      expect(text).toContain(
        `stager_http_request_seconds_count{method="GET",route="${route}",status="${status}"} ${count}\n`,
      );
    }
  });

  it('is why a build waits, and where', async () => {
    const app = await newApp(api(), { environment_variables: { FAKE: 'wait' } });
    const source = await readyPackage(api(), app);
    const first = guidIn(await api().ask('POST', '/v3/builds', { body: { package: { guid: source } } }));
    const path = '/v3/builds?when_staging=wait';
    const second = await api().ask('POST', path, { body: { package: { guid: source } } });
    expect(second.status).toBe(201);
    expect(second.body['queue']).toMatchObject({
      reason: expect.stringMatching(/./),
      position: expect.any(Number),
    });
    const superseding = await api().ask('POST', '/v3/builds?when_staging=supersede', {
      body: { package: { guid: source } },
    });
    const old = [first, guidIn(second)].map((guid) => api().ask('GET', `/v3/builds/${guid}`));
    for (const { body } of await Promise.all(old)) {
      expect(body).toMatchObject({ state: 'FAILED', error: expect.stringMatching(/superseded|cancelled/) });
    }
    await api().ask('PATCH', `/v3/builds/${guidIn(superseding)}`, { body: { state: 'FAILED' } });
  });
});
