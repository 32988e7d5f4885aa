import { expect, it } from 'vitest';
import { ROUTES } from '../../../src/doors/http/all-routes.ts';
import { describeApi } from './support/api.ts';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

describeApi('the OpenAPI document', (api) => {
  it('has every route with its parameters, bodies and answers', async () => {
    const { status, body } = await api().ask('GET', '/openapi.json', { as: 'nobody' });
    expect([status, body['openapi']]).toEqual([200, '3.1.0']);
    const paths: Record<string, Record<string, object>> = Object(body['paths']);
    const documented = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).flatMap((method) =>
        METHODS.includes(method) ? [`${method.toUpperCase()} ${path}`] : [],
      ),
    );
    const routes = ROUTES.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    expect(documented.toSorted()).toEqual(routes.toSorted());
    expect(paths['/v3/organizations']?.['post']).toMatchObject({
      requestBody: { content: { 'application/json': { schema: { required: ['name'] } } } },
      security: [{ token: [] }],
    });
  });

  it('comes with a page to browse it, without anything from elsewhere', async () => {
    const page = await api().ask('GET', '/docs/', { as: 'nobody' });
    expect(page.status).toBe(200);
    expect(page.text).toContain('swagger-ui');
    expect(page.text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  });
});
