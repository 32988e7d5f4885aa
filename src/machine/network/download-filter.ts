/**
 * Our own downloads, held to the rules for the networks of scripts: a server fetches what its users name, and must not
 * reach for them what their scripts may not. The address that is connected to is the one that was looked at: a name is
 * looked up once for each connection, those after redirects included.
 */
import { promises as dns, type LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Dial } from '../proxy/dial.ts';
import type { EgressPolicy } from './egress.ts';
import { isPublicAddress } from './public-address.ts';
import { addressNumber, DEFAULT_RULES, type EgressRule } from './rules.ts';

/** Asks for all addresses of a name. */
export type ResolveName = (host: string) => Promise<readonly LookupAddress[]>;

const systemNames: ResolveName = async (host) => await dns.lookup(host, { all: true });

/** What a person can do about {@link DestinationRefused}. */
export const WHO_ALLOWS = 'The operator of the server allows places with --allow-host or --egress-rules.';

/** A destination that the rules do not allow. */
export class DestinationRefused extends Error {
  readonly code = 'ERR_DESTINATION_REFUSED';

  constructor(host: string, port: number, address: string) {
    const what = address === host ? `${host}:${port}` : `${host}:${port} (${address})`;
    super(`the egress rules of this server do not allow ${what}`);
  }
}

/** See the top of the file. */
export class DownloadFilter {
  readonly #policy: EgressPolicy;
  readonly #resolve: ResolveName;

  constructor(policy: EgressPolicy, resolve: ResolveName = systemNames) {
    this.#policy = policy;
    this.#resolve = resolve;
  }

  /** Connects to what is allowed, and to nothing else. @throws DestinationRefused. */
  readonly dial: Dial = async ({ host, port }, signal) => {
    const plain = host.replace(/^\[|\]$/g, '');
    const family = isIP(plain);
    const all = family === 0 ? await this.#resolve(plain) : [{ address: plain, family }];
    const allowed = this.#isNamed(plain, port)
      ? all
      : all.filter(({ address }) => this.#allows(address, port));
    const [first] = allowed;
    if (first === undefined) throw new DestinationRefused(plain, port, all[0]?.address ?? 'no address');
    const socket = connect({
      host: plain,
      port,
      lookup: (_host, asked, done) => {
        if (asked.all === true) done(null, [...allowed]);
        else done(null, first.address, first.family);
      },
    });
    try {
      await once(socket, 'connect', { signal });
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  };

  /** Names are looked up by the proxy, which has rules of its own; addresses and this machine are refused here. */
  readonly beforeProxy = (host: string): void => {
    const plain = host.replace(/^\[|\]$/g, '').toLowerCase();
    const isMachine = plain === 'localhost' || plain.endsWith('.localhost');
    const isOpen = this.#policy.allowed.some((place) => place.host === plain);
    if (!isOpen && (isMachine || (isIP(plain) !== 0 && !this.#allows(plain))))
      throw new DestinationRefused(plain, 0, plain);
  };

  /** By the operator, wherever it is. */
  #isNamed(host: string, port: number): boolean {
    return this.#policy.allowed.some((place) => place.host === host && place.port === port);
  }

  /** `port`: undefined where it does not matter. Rules know no IPv6: the usual ones mean what is public there too. */
  #allows(address: string, port?: number): boolean {
    const { rules } = this.#policy;
    if (ownAddresses().has(address)) return false;
    if (isIP(address) !== 4) return rules === DEFAULT_RULES && isPublicAddress(address);
    if (address.startsWith('127.')) return false;
    return rules.some((rule) => ruleAllows(rule, addressNumber(address), port));
  }
}

function ruleAllows({ protocol, destinations, ports }: EgressRule, address: number, port?: number): boolean {
  if (!destinations.some(([from, to]) => address >= from && address <= to)) return false;
  if (protocol === 'all') return true;
  return protocol === 'tcp' && (port === undefined || ports.some(([from, to]) => port >= from && port <= to));
}

/** Those that this machine has now. */
function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return new Set(all.map(({ address }) => address));
}
