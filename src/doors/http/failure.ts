/** Every failure's way out: in the shape that the route's clients read, after what they still send was read. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ReportBug } from '../../words/report-bug.ts';
import { drain } from './drain.ts';
import { CfError, type ErrorObject, errorAnswer } from './route/cf-errors.ts';
import { isUaaPath, UaaError } from './route/uaa-error.ts';

/** Answers with the failure. */
export async function answerFailure(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  report: ReportBug,
): Promise<FastifyReply> {
  await drain(request.raw);
  if (error instanceof UaaError) return await sendUaa(reply, error);
  const { status, errors } = errorAnswer(error);
  if (status >= 500 && status !== 503 && !(error instanceof CfError)) {
    report(`${request.method} ${request.routeOptions.url ?? 'a request'} (${request.id})`, error);
  }
  if (isUaaPath(request.routeOptions.url ?? request.url)) {
    const [first] = errors;
    const kind = status >= 500 ? 'internal_server_error' : 'invalid_request';
    return await sendUaa(
      reply,
      new UaaError(status === 422 ? 400 : status, kind, first?.detail ?? 'invalid request'),
    );
  }
  // The CLI tells what it repeats from this header alone.
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="stager"');
  const body = isV2(request, error) ? inV2(errors) : { errors };
  return await reply.code(status).type('application/json').send(body);
}

/** v2 has its own shape, and names what there is not outside of v3 as well; what the router refuses may be anybody's. */
function isV2({ url, routeOptions }: FastifyRequest, error: unknown): boolean {
  const isNowhere = routeOptions.url === undefined && error instanceof CfError;
  return url.startsWith('/v2/') || (isNowhere && !/^\/v3(?:[/?]|$)/.test(url));
}

function inV2(errors: readonly ErrorObject[]) {
  const [first] = errors;
  const description = errors.map(({ detail }) => detail).join(' ');
  return { description, error_code: first?.title, code: first?.code };
}

async function sendUaa(reply: FastifyReply, failure: UaaError): Promise<FastifyReply> {
  const body = { error: failure.error, error_description: failure.message };
  return await reply.code(failure.status).type('application/json').send(body);
}
