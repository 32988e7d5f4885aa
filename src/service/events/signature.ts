/**
 * How a webhook's body is signed: `Stager-Signature: t=SECONDS,v1=HEX[,v1=HEX]`, each `v1` the HMAC-SHA256 of
 * `SECONDS.BODY` with one of the secrets. While secrets are changed there are two, and one of them is known to the
 * receiver; the time is signed too, so that an old body can't be sent again later.
 */
import { createHmac } from 'node:crypto';

export const SIGNATURE_HEADER = 'stager-signature';

export function signatureOf(body: string, secrets: readonly string[], seconds: number): string {
  const signatures = secrets.map(
    (secret) => `v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`,
  );
  return [`t=${seconds}`, ...signatures].join(',');
}
