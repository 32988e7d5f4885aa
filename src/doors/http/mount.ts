/** Adds a route to the server: the caller, the checked input, the response. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ANONYMOUS, type Caller } from '../../service/access/caller.ts';
import { callerOfRequest } from './authenticate.ts';
import { schemaOf } from './openapi.ts';
import type { CountRequest } from './rate-limit.ts';
import { baseOf } from './route/base-url.ts';
import type { Answer, ServedRoute } from './route/route.ts';
import type { HttpService } from './route/service.ts';
import { traceOf } from './route/telemetry.ts';

/** What all routes are served by. */
export interface Mounting {
  readonly server: FastifyInstance;
  readonly service: HttpService;
  readonly count: CountRequest;
}

export function mount(route: ServedRoute, { server, service, count }: Mounting): void {
  const callers = new WeakMap<FastifyRequest, Caller>();
  server.route({
    method: route.method,
    url: route.path,
    schema: schemaOf(route),
    ...(route.bodyLimit !== undefined && { bodyLimit: route.bodyLimit }),
    // Before the body is read: nobody uploads without a token.
    onRequest: async (request, reply) => {
      const caller =
        route.access === 'anyone'
          ? ANONYMOUS
          : await callerOfRequest(request, service, route.path).catch(async (error: unknown) => {
              await count(request, reply, ANONYMOUS);
              throw error;
            });
      await count(request, reply, caller);
      callers.set(request, caller);
    },
    handler: async (request, reply) => {
      const warnings: string[] = [];
      const { params, query, body } = request;
      const answer = await route.run(
        { params, query, body },
        {
          caller: callers.get(request) ?? ANONYMOUS,
          service,
          base: baseOf(request, service.settings),
          url: request.url,
          warn: (text) => warnings.push(text),
          trace: traceOf(request),
          request,
        },
      );
      // One header: clients read no second one.
      if (warnings.length > 0) reply.header('x-cf-warnings', warnings.map(encodeURIComponent).join(','));
      return await send(route, answer, reply);
    },
  });
}

/** Only what the schema names leaves; an answer that does not fit it is a bug of ours, and a 500. */
async function send(route: ServedRoute, answer: Answer, reply: FastifyReply): Promise<FastifyReply> {
  const schema = route.answers[answer.status];
  if (schema === undefined)
    throw new Error(`${route.method} ${route.path} answers ${answer.status}, undeclared`);
  reply.code(answer.status).headers(answer.headers ?? {});
  if (schema === null) return await reply.send();
  if (schema === 'bytes') return await reply.send(answer.stream);
  return await reply.type('application/json; charset=utf-8').send(schema.parse(answer.body));
}
