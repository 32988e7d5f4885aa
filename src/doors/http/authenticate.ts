/** The caller of a request: its bearer token, and the scope that its method needs. */
import type { FastifyRequest } from 'fastify';
import { type Caller, hasScope } from '../../service/access/caller.ts';
import { CfError } from './route/cf-errors.ts';
import type { HttpService } from './route/service.ts';
import { isUaaPath, UaaError, unauthorized } from './route/uaa-error.ts';

/** @throws CfError NotAuthenticated, InvalidAuthToken, InsufficientScope; below /uaa UaaError. */
export async function callerOfRequest(
  request: FastifyRequest,
  service: HttpService,
  path: string,
): Promise<Caller> {
  const uaa = isUaaPath(path);
  const token = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) {
    const sentence = 'Full authentication is required to access this resource';
    throw uaa ? unauthorized(sentence) : new CfError('NotAuthenticated', 'Authentication error');
  }
  const caller = await service.authenticator.authenticate(token);
  if (caller === undefined) {
    const sentence = 'Invalid access token: it expired, was revoked, or is not one of ours.';
    throw uaa
      ? new UaaError(401, 'invalid_token', sentence)
      : new CfError('InvalidAuthToken', 'Invalid Auth Token');
  }
  if (uaa) return caller;
  if (!hasScope(caller, request.method)) {
    throw new CfError('InsufficientScope', 'Your token lacks the necessary scopes to access this resource.');
  }
  return caller;
}
