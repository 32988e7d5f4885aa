/** The server: routes in, a fastify instance out. It does not listen; whoever made it decides where, and ends it. */
import { randomUUID } from 'node:crypto';
import formbody from '@fastify/formbody';
import multipart from '@fastify/multipart';
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { addBodyParsers } from './bodies.ts';
import { answerBrokenRequest } from './broken-request.ts';
import { answerFailure } from './failure.ts';
import { watchIdleConnections } from './idle-connections.ts';
import { createListener, type Patience, type TlsFiles } from './listener.ts';
import { mount } from './mount.ts';
import { addOpenApi } from './openapi.ts';
import { addPages } from './page/mount-pages.ts';
import { createRateLimit } from './rate-limit.ts';
import { CfError } from './route/cf-errors.ts';
import { meantPath, missesPage } from './route/foundation.ts';
import { LIMITS } from './route/limits.ts';
import type { ServedRoute } from './route/route.ts';
import type { HttpService } from './route/service.ts';
import { addTelemetry } from './route/telemetry.ts';

export interface ServerOptions {
  readonly routes: readonly ServedRoute[];
  /** Without, plain HTTP. */
  readonly tls?: TlsFiles;
  /** How long slow clients have; what limits.ts says, without. */
  readonly patience?: Patience;
}

/** @returns a server that is ready to listen. */
export async function createServer(service: HttpService, options: ServerOptions): Promise<FastifyInstance> {
  const server = Fastify(serverOptions(options, service));
  // Input and output are checked in define-route.ts and mount.ts, against the same schemas that are documented.
  server.setValidatorCompiler(() => (value) => ({ value }));
  server.setSerializerCompiler(() => (value) => JSON.stringify(value));
  server.setErrorHandler((error, request, reply) => answerFailure(error, request, reply, service.report));
  const endIdle = watchIdleConnections(server.server);
  server.addHook('preClose', async () => endIdle());
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-vcap-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('cache-control', 'no-store');
  });
  addTelemetry(server, service.telemetry, service.staging.metrics);
  addBodyParsers(server);
  await server.register(formbody, { bodyLimit: LIMITS.formBytes });
  await server.register(multipart, { limits: LIMITS.multipart, throwFileSizeLimit: true });
  await addOpenApi(server, service.settings);
  const count = await createRateLimit(server, service.settings.rateLimit ?? 0);
  for (const route of options.routes) mount(route, { server, service, count });
  const answerUnknownPage = await addPages(server, { service, count });
  server.setNotFoundHandler(async (request, reply) => {
    if (missesPage(request.headers.accept, request.url)) return await answerUnknownPage(request, reply);
    return await answerFailure(new CfError('NotFound', 'Unknown request'), request, reply, service.report);
  });
  await server.ready();
  return server;
}

function serverOptions(
  { tls, patience }: ServerOptions,
  { settings, report }: HttpService,
): FastifyServerOptions {
  return {
    rewriteUrl: ({ url = '/', headers: { host, accept } }) =>
      meantPath(settings, { host, accept, path: url }),
    serverFactory: (handler) => createListener(handler, tls, patience),
    bodyLimit: LIMITS.jsonBytes,
    clientErrorHandler: answerBrokenRequest,
    // Addresses that the router refuses before it looks for a route.
    frameworkErrors: (error, request, reply) => void answerFailure(error, request, reply, report),
    // Ends keep-alive connections at close, lets requests finish.
    forceCloseConnections: 'idle',
    logger: false,
    genReqId: requestId,
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1000, querystringParser: parseQuery },
  };
}

/** What the caller calls the request, and our own part, as Cloud Controller does. */
function requestId(request: { headers: Record<string, unknown> }): string {
  const given = request.headers['x-vcap-request-id'];
  const own = randomUUID();
  return typeof given === 'string' && /^[\w-]{1,100}$/.test(given) ? `${given}::${own}` : own;
}

/** Names with brackets stay names; the last of several wins, as with Cloud Controller. Filters of v2 (q) all count. */
function parseQuery(text: string): Record<string, string> {
  const given = new URLSearchParams(text);
  const filters = given.getAll('q');
  return { ...Object.fromEntries(given), ...(filters.length > 1 && { q: filters.join(';') }) };
}
