/**
 * The page to read the document, `/docs`: a server of its own that never listens, made at the first request, since few
 * ask for it and reading its files would be part of every start.
 */
import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

const PREFIX = '/docs';

export function addPage(server: FastifyInstance): void {
  let page: Promise<FastifyInstance> | undefined;
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    page ??= openPage(server);
    const { statusCode, headers, rawPayload } = await (await page).inject({
      method: 'GET',
      url: request.url,
      headers: request.headers,
    });
    return await reply.code(statusCode).headers(headers).send(rawPayload);
  };
  for (const path of [PREFIX, `${PREFIX}/*`]) server.get(path, { schema: { hide: true } }, answer);
}

async function openPage(server: FastifyInstance): Promise<FastifyInstance> {
  const { default: swaggerUi } = await import('@fastify/swagger-ui');
  const page = Fastify({ routerOptions: { ignoreTrailingSlash: true } });
  await page.register(swagger, { openapi: {}, transformObject: () => server.swagger() });
  await page.register(swaggerUi, { routePrefix: PREFIX, staticCSP: true });
  await page.ready();
  return page;
}
