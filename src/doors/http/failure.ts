/** Every failure's way out: in the shape that the route's clients read, after what they still send was read. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { drain } from './drain.ts';
import { CfError, errorAnswer } from './route/cf-errors.ts';

/** A failure of the token endpoint and the user endpoints, in UAA's words. */
export class UaaError extends Error {
  override readonly name = 'UaaError';
  readonly status: number;
  readonly kind: string;

  constructor(status: number, kind: string, description: string) {
    super(description);
    this.status = status;
    this.kind = kind;
  }
}

/** Answers with the failure. */
export async function answerFailure(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  await drain(request.raw);
  if (error instanceof UaaError) {
    const body = { error: error.kind, error_description: error.message };
    return await reply.code(error.status).type('application/json').send(body);
  }
  const { status, errors } = errorAnswer(error);
  if (status >= 500 && !(error instanceof CfError)) request.log.error(error);
  // The CLI tells what it repeats from this header alone.
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="stager"');
  return await reply.code(status).type('application/json').send({ errors });
}
