import { expect, it } from 'vitest';
import { z } from 'zod';
import { ROUTES } from '../../../src/doors/http/all-routes.ts';
import { describeApi } from './support/api.ts';

const Document = z.object({
  openapi: z.literal('3.1.0'),
  paths: z.record(z.string(), z.record(z.string(), z.object({ summary: z.string() }))),
});

describeApi('the OpenAPI document', (api) => {
  it('has every route, to everybody', async () => {
    const reply = await api().ask('GET', '/openapi.json', { as: 'nobody' });
    const { paths } = Document.parse(JSON.parse(reply.text));
    const listed = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
    expect(listed.toSorted()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).toSorted());
  });

  it('names no parameter where any is taken', async () => {
    const { body } = await api().ask('GET', '/openapi.json', { as: 'nobody' });
    expect(body).toMatchObject({
      paths: {
        '/uaa/oauth/authorize': { get: expect.not.objectContaining({ parameters: expect.anything() }) },
      },
    });
  });

  it('has a page that takes nothing from other servers', async () => {
    const page = await api().ask('GET', '/docs/', { as: 'nobody' });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(page.text).not.toMatch(/(?:src|href)="https?:/);
  });
});

describeApi('an address that no route is looked for', (api) => {
  it.each([
    { what: 'is no text', path: '/v3/apps/%zz', status: 400, title: 'CF-MessageParseError' },
    {
      what: 'has too long a part',
      path: `/v3/apps/${'a'.repeat(1200)}`,
      status: 414,
      title: 'CF-BadRequest',
    },
  ])("is refused in v3's form when it $what", async ({ path, status, title }) => {
    const reply = await api().ask('GET', path);
    expect([reply.status, reply.body]).toMatchObject([status, { errors: [{ title }] }]);
  });

  it("is refused in UAA's form below its path", async () => {
    const reply = await api().ask('DELETE', `/uaa/oauth/token/revoke/${'a'.repeat(1200)}`);
    expect([reply.status, Object.keys(reply.body)]).toEqual([414, ['error', 'error_description']]);
  });
});

describeApi('a request whose head is too large', (api) => {
  it("is refused in v3's form", async () => {
    const reply = await api().ask('GET', `/v3/apps?names=${'x'.repeat(100_000)}`);
    expect([reply.status, reply.body]).toEqual([
      431,
      { errors: [{ code: 1004, title: 'CF-BadRequest', detail: expect.stringContaining('too long') }] },
    ]);
  });

  it("is refused in UAA's form below its path", async () => {
    const reply = await api().ask('GET', `/uaa/Users?filter=${'x'.repeat(40_000)}`);
    expect([reply.status, reply.body]).toEqual([
      431,
      { error: 'invalid_request', error_description: expect.stringContaining('too long') },
    ]);
  });
});
