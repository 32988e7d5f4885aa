/** The certificate authorities that our own downloads trust. */
import { getCACertificates } from 'node:tls';

/**
 * Certificates in PEM of Node's own list, of NODE_EXTRA_CA_CERTS, of the machine (what curl and git trust, SSL_CERT_FILE
 * and SSL_CERT_DIR included) and of `extra`, each once. Reading the machine's takes some 200 ms the first time in a
 * process: ask when a connection is made, not before.
 */
export function trustedAuthorities(extra: readonly string[]): readonly string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system'), ...extra])];
}
