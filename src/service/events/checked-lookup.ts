/** Where a webhook may go: a name is looked up once, and only that is connected to. */
import { promises as dns, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from '../../machine/network/public-address.ts';
import { StagerError } from '../../words/errors.ts';

/** Asks for all addresses of a name. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

const systemResolve: Resolve = async (host) => await dns.lookup(host, { all: true });

/**
 * Resolves once; what connects takes the addresses from here and asks nobody again, so that a name can't mean another
 * machine a moment later. One address that is not public makes the whole name refused.
 *
 * @throws StagerError CONFIG_INVALID when it is not public and may not be otherwise.
 */
export async function checkedLookup(
  url: URL,
  allowPrivate: boolean,
  resolve: Resolve = systemResolve,
): Promise<LookupFunction> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const family = isIP(host);
  const addresses = family === 0 ? await resolve(host) : [{ address: host, family }];
  const wrong = addresses.find(({ address }) => !isPublicAddress(address));
  if (addresses.length === 0 || (wrong !== undefined && !allowPrivate)) {
    throw new StagerError(
      'CONFIG_INVALID',
      `${host} is ${wrong?.address ?? 'no address'}, which is not public`,
      {
        next: 'An admin can allow it for this webhook with allow_private.',
      },
    );
  }
  return (_host, { all }, done) => {
    const [first] = addresses;
    if (all === true) done(null, [...addresses]);
    else if (first !== undefined) done(null, first.address, first.family);
  };
}
