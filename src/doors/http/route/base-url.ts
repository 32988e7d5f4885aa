/** `https://host:port` of a request, which links in its answer begin with: clients follow them as they are. */
import type { FastifyRequest } from 'fastify';
import { CfError } from './cf-errors.ts';
import type { HttpSettings } from './service.ts';

const HOST = /^(?:[\w.-]{1,253}|\[[\da-fA-F:.]{2,45}\])(?::\d{1,5})?$/;

/** @throws CfError BadRequest when the request names no host, or none that can be one. */
export function baseOf(request: FastifyRequest, settings: HttpSettings): string {
  if (settings.publicUrl !== undefined) return settings.publicUrl.replace(/\/+$/, '');
  const { host } = request.headers;
  if (host === undefined || !HOST.test(host))
    throw new CfError('BadRequest', 'The Host header names no host.');
  return `${request.protocol}://${host}`;
}

/** Where a server listens, and what its clients are to be given, told at its start. */
export function toldAddresses(
  {
    tls,
    publicUrl,
    systemDomain,
  }: Pick<HttpSettings, 'publicUrl' | 'systemDomain'> & { readonly tls?: unknown },
  address: string,
): { readonly url: string; readonly api: string } {
  // Fastify takes every server that it did not make for one without TLS.
  const url = tls === undefined ? address : address.replace(/^http:/, 'https:');
  if (publicUrl !== undefined || systemDomain === undefined) return { url, api: publicUrl ?? url };
  const named = new URL(url);
  named.hostname = `api.${systemDomain}`;
  return { url, api: named.origin };
}
