import { expect, it } from 'vitest';
import { describeApi, detailsIn } from './support/api.ts';

describeApi('the server', (api) => {
  it('says where everything is, with links that begin as the caller asked', async () => {
    const reply = await api().ask('GET', '/', { as: 'nobody' });
    expect(reply.body).toMatchObject({
      links: {
        self: { href: api().url },
        cloud_controller_v3: {
          href: `${api().url}/v3`,
          meta: { version: expect.stringMatching(/^3\.\d+\.\d+$/) },
        },
        login: { href: `${api().url}/uaa` },
        log_cache: { href: api().url },
      },
    });
  });

  it("answers what it does not have with Cloud Controller's words", async () => {
    const reply = await api().ask('GET', '/v3/nothing');
    expect(reply.status).toBe(404);
    expect(reply.body).toEqual({
      errors: [{ code: 10000, title: 'CF-NotFound', detail: 'Unknown request' }],
    });
  });

  it('tells a missing token from a wrong one', async () => {
    const missing = await api().ask('GET', '/v3/organizations', { as: 'nobody' });
    expect(missing.body).toMatchObject({ errors: [{ code: 10002, title: 'CF-NotAuthenticated' }] });
    const wrong = await api().ask('GET', '/v3/organizations', { token: 'a.b.c' });
    expect(wrong.body).toMatchObject({ errors: [{ code: 1000, title: 'CF-InvalidAuthToken' }] });
  });

  it('takes the content type of JSON without a body', async () => {
    const reply = await api().ask('GET', '/v3/organizations', {
      headers: { 'content-type': 'application/json' },
    });
    expect(reply.status).toBe(200);
  });

  it('says that a body is not JSON, missing, or too large', async () => {
    const broken = await api().ask('POST', '/v3/organizations', {
      body: '{"name":',
      headers: { 'content-type': 'application/json' },
    });
    expect([broken.status, detailsIn(broken)]).toEqual([
      400,
      ['Request invalid due to parse error: invalid request body'],
    ]);
    expect((await api().ask('POST', '/v3/organizations')).status).toBe(400);
    const large = await api().ask('POST', '/v3/organizations', { body: { name: 'x'.repeat(2_000_000) } });
    expect(large.status).toBe(413);
  });

  it('gives every answer the id of its request', async () => {
    const reply = await api().ask('GET', '/', { headers: { 'x-vcap-request-id': 'mine' } });
    expect(reply.headers.get('x-vcap-request-id')).toMatch(/^mine::[0-9a-f-]{36}$/);
  });

  it('refuses a Host that cannot be one', async () => {
    const reply = await api().server.inject({ url: '/', headers: { host: 'evil"host' } });
    expect(reply.statusCode).toBe(400);
  });
});
