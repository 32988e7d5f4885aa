/**
 * How many requests a minute a user, a program or, without a token, an address may make: counted, told in Cloud
 * Controller's headers, and refused in its words beyond that. As there, admins are not counted.
 */
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Caller, isAdmin, isReadOnlyAdmin } from '../../service/access/caller.ts';
import { CfError } from './route/cf-errors.ts';

const WINDOW_MS = 60_000;
/** The most that are remembered; then the one that has been away longest is forgotten. */
const REMEMBERED = 20_000;

/** Counts one request of a caller. @throws CfError when it is one too many. */
export type CountRequest = (request: FastifyRequest, reply: FastifyReply, caller: Caller) => Promise<void>;

/** @param perMinute 0: as many as they like, and no headers. */
export async function createRateLimit(server: FastifyInstance, perMinute: number): Promise<CountRequest> {
  if (perMinute === 0) return async () => undefined;
  const callers = new WeakMap<FastifyRequest, Caller>();
  await server.register(rateLimit, { global: false, cache: REMEMBERED });
  const count = server.createRateLimit({
    max: perMinute,
    timeWindow: WINDOW_MS,
    keyGenerator: (request) => nameOf(callers.get(request), request),
  });
  return async (request, reply, caller) => {
    if (isAdmin(caller) || isReadOnlyAdmin(caller)) return;
    callers.set(request, caller);
    const found = await count(request);
    if (found.isAllowed) return;
    reply.headers({
      'x-ratelimit-limit': found.max,
      'x-ratelimit-remaining': found.remaining,
      'x-ratelimit-reset': Math.ceil((Date.now() + found.ttl) / 1000),
    });
    if (!found.isExceeded) return;
    reply.header('retry-after', Math.max(1, found.ttlInSeconds));
    throw refusal(caller);
  };
}

function nameOf(caller: Caller | undefined, request: FastifyRequest): string {
  return caller === undefined || caller.kind === 'anonymous'
    ? `address ${request.ip}`
    : `${caller.kind} ${caller.guid}`;
}

function refusal({ kind }: Caller): CfError {
  return kind === 'anonymous'
    ? new CfError(
        'IPBasedRateLimitExceeded',
        'Rate Limit Exceeded: Unauthenticated requests from this IP address have exceeded the limit. Please log in.',
      )
    : new CfError('RateLimitExceeded', 'Rate Limit Exceeded');
}
