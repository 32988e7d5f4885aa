/** Every failure's way out: in the shape that the route's clients read, after what they still send was read. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { drain } from './drain.ts';
import { CfError, errorAnswer } from './route/cf-errors.ts';
import { isUaaPath, UaaError } from './route/uaa-error.ts';

/** Answers with the failure. */
export async function answerFailure(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  await drain(request.raw);
  if (error instanceof UaaError) return await sendUaa(reply, error);
  const { status, errors } = errorAnswer(error);
  if (isUaaPath(request.routeOptions.url ?? request.url)) {
    const [first] = errors;
    const kind = status >= 500 ? 'internal_server_error' : 'invalid_request';
    return await sendUaa(
      reply,
      new UaaError(status === 422 ? 400 : status, kind, first?.detail ?? 'invalid request'),
    );
  }
  if (status >= 500 && !(error instanceof CfError)) request.log.error(error);
  // The CLI tells what it repeats from this header alone.
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="stager"');
  return await reply.code(status).type('application/json').send({ errors });
}

async function sendUaa(reply: FastifyReply, failure: UaaError): Promise<FastifyReply> {
  const body = { error: failure.error, error_description: failure.message };
  return await reply.code(failure.status).type('application/json').send(body);
}
