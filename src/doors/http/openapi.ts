/** The OpenAPI 3.1 document and a page to read it, `/openapi.json` and `/docs`, made from the very schemas that check requests and answers. */
import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { createJsonSchemaTransform } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { addPage } from './openapi-page.ts';
import type { ServedRoute } from './route/route.ts';
import type { HttpSettings } from './route/service.ts';
import { isUaaPath } from './route/uaa-error.ts';

const ErrorBody = z.object({
  errors: z.array(z.object({ code: z.int(), title: z.string(), detail: z.string() })),
});
const V2ErrorBody = z.object({ description: z.string(), error_code: z.string(), code: z.int() });
const UaaErrorBody = z.object({ error: z.string(), error_description: z.string() });

export async function addOpenApi(server: FastifyInstance, settings: HttpSettings): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'stager',
        description: "The staging part of Cloud Foundry's v3 API.",
        version: settings.version,
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
    transform: createJsonSchemaTransform({ zodToJsonConfig: { unrepresentable: 'any' } }),
  });
  server.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger());
  addPage(server);
}

/** What fastify keeps of a route, for the document. */
export function schemaOf(route: ServedRoute): FastifySchema {
  const answers = Object.entries(route.answers).map(([status, schema]) => [
    status,
    schema === null
      ? z.null().describe('no body')
      : schema === 'bytes'
        ? { description: 'bytes', content: { '*/*': { schema: z.unknown() } } }
        : schema,
  ]);
  const failure = isUaaPath(route.path)
    ? UaaErrorBody
    : route.path.startsWith('/v2/')
      ? V2ErrorBody
      : ErrorBody;
  return {
    summary: route.summary,
    tags: [tagOf(route.path)],
    security: route.access === 'anyone' ? [] : [{ token: [] }],
    ...(route.params !== undefined && { params: route.params }),
    // A record names no parameter.
    ...(route.query !== undefined && !(route.query instanceof z.ZodRecord) && { querystring: route.query }),
    ...(route.body !== undefined && { body: route.body }),
    response: {
      ...Object.fromEntries(answers),
      '4xx': failure,
      '5xx': failure,
    },
  };
}

function tagOf(path: string): string {
  const [first = '', second = ''] = path.split('/').filter((part) => part !== '');
  return first === 'v3' && second !== '' ? second : first || 'root';
}
