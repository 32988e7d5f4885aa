/** What the log, the traces and the figures are told of a request: its route, never its address, which may hold what is secret. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Metrics } from '../../../service/metrics/metrics.ts';
import type { BuildTrace } from '../../../service/state/schema-apps.ts';
import type { Telemetry, TraceSpan } from '../../../words/telemetry.ts';

const spans = new WeakMap<FastifyRequest, TraceSpan>();

export function addTelemetry(
  server: FastifyInstance,
  { log, tracer }: Telemetry,
  metrics: Pick<Metrics, 'request'>,
): void {
  server.addHook('onRequest', async (request) => {
    const { method, id, headers } = request;
    const given = headers['traceparent'];
    const span = tracer.start(`${method} ${routeOf(request)}`, {
      kind: 'server',
      parent: typeof given === 'string' ? given : undefined,
      facts: { request: id, method, route: routeOf(request) },
    });
    spans.set(request, span);
  });
  server.addHook('onResponse', async (request, reply) => {
    const { statusCode: status } = reply;
    const span = spans.get(request);
    span?.set({ status });
    span?.end(status >= 500 ? String(status) : undefined);
    const { method, id } = request;
    const facts = { request: id, method, route: routeOf(request), status, ms: Math.round(reply.elapsedTime) };
    metrics.request({ method, route: routeOf(request), status }, reply.elapsedTime);
    if (status >= 500) log.error('request', facts);
    else log.info('request', facts);
  });
}

/** What a build keeps of the request that asked for it. */
export function traceOf(request: FastifyRequest): BuildTrace {
  const parent = spans.get(request)?.traceparent ?? '';
  return { request: request.id, ...(parent !== '' && { parent }) };
}

function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'none';
}
