/** What of the machine's /etc a sandbox sees. */
import { expect, it } from 'vitest';
import { isListedEtc } from '../../../src/machine/sandbox/oci/host-etc.ts';

it.each([
  ['alternatives/java', true],
  ['alternatives/java.1.gz', false],
  ['ssl', true],
  ['ssl/certs/ca-certificates.crt', true],
  ['ssl/private', false],
  ['java-17-openjdk/security', true],
  ['shadow', false],
])('shows %s: %s', (path, shown) => {
  expect(isListedEtc(path)).toBe(shown);
});
