/** Why a request failed, in Go's words as far as Node tells the cases apart. */
import { isIP } from 'node:net';
import { endpointText, ProxyFailure } from '../../../machine/proxy/dial.ts';
import { splitHost } from '../../../machine/proxy/rules.ts';
import { errnoOf } from '../../../words/errors.ts';
import type { GoUrl } from '../../../words/go-url.ts';
import { errnoText } from './errno.ts';

const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** The reason that stands behind `Get "https://…": `. */
export function reasonOf(
  error: unknown,
  from: { readonly url: GoUrl; readonly signal: AbortSignal },
): string {
  if (from.signal.aborted) {
    return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
  }
  const { host, port } = splitHost(from.url.host);
  if (!(error instanceof ProxyFailure)) return connectionReason(error, host);
  if (error.stage === 'dial') return `proxyconnect tcp: ${connectionReason(error.cause, error.proxy.host)}`;
  if (error.stage === 'connect') return connectionReason(error.cause, error.proxy.host);
  const fallback = from.url.scheme === 'https' ? 443 : 80;
  const target = { host, port: port === '' ? fallback : Number(port) };
  return socksReason(error, target);
}

/** How Go's SOCKS client reports a failure. */
export function socksReason(
  failure: ProxyFailure,
  target: { readonly host: string; readonly port: number },
): string {
  const { proxy, cause } = failure;
  const why = connectionReason(cause, proxy.host);
  return `socks connect tcp ${endpointText(proxy)}->${endpointText(target)}: ${why}`;
}

/** Why a connection to `host` failed. */
function connectionReason(error: unknown, host: string): string {
  const code = errnoOf(error) ?? '';
  if (UNKNOWN_AUTHORITY.has(code)) {
    return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `tls: failed to verify certificate: x509: ${otherNames(error, host)}`;
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `dial tcp: lookup ${host}: no such host`;
  if (code === 'ECONNRESET') return 'EOF';
  if (error instanceof Error && 'syscall' in error && error.syscall === 'connect') {
    return `dial tcp ${addressOf(error)}: connect: ${errnoText(error)}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** For whom a certificate is, instead of `host`. */
function otherNames(error: unknown, host: string): string {
  const cert: unknown =
    typeof error === 'object' && error !== null && 'cert' in error ? error.cert : undefined;
  const listed =
    typeof cert === 'object' && cert !== null && 'subjectaltname' in cert ? cert.subjectaltname : '';
  const kind = isIP(host) === 0 ? 'DNS:' : 'IP Address:';
  const names = String(listed ?? '')
    .split(', ')
    .flatMap((it) => (it.startsWith(kind) ? [it.slice(kind.length)] : []));
  if (names.length > 0) return `certificate is valid for ${names.join(', ')}, not ${host}`;
  return isIP(host) === 0
    ? `certificate is not valid for any names, but wanted to match ${host}`
    : `cannot validate certificate for ${host} because it doesn't contain any IP SANs`;
}

/** Why a body could not be read to its end. */
export function bodyReason(error: unknown): string {
  const code = errnoOf(error) ?? '';
  if (code === 'Z_DATA_ERROR') return 'gzip: invalid header';
  if (code === 'Z_BUF_ERROR' || code === 'ECONNRESET') return 'unexpected EOF';
  return error instanceof Error ? error.message : String(error);
}

function addressOf(error: Error): string {
  const address = 'address' in error ? String(error.address) : '';
  // Node leaves out a port that is 0.
  const port = 'port' in error ? String(error.port) : '0';
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
