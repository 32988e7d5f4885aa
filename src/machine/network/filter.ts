/**
 * Pure: what may leave a network → the text of its nftables rules. They are loaded inside the network's own namespace by
 * who owns it, before anything runs there; commands have no capability to change them, and they end with the namespace.
 */
import { CIDR, GATEWAY, INTERFACE, RESOLVER } from './addresses.ts';
import type { AllowedAddress } from './allowed.ts';
import type { EgressRule, Range } from './rules.ts';

/** What may leave. */
export interface FilterParts {
  readonly rules: readonly EgressRule[];
  readonly allowed: readonly AllowedAddress[];
  /** IPv4 addresses of the machine. */
  readonly machine: readonly string[];
}

const TABLE = 'stager';
const REFUSED = 'refused';
/** Of destinations that are remembered for the message. */
const MOST_REFUSED = 64;

/** Arguments of nft that show what was refused. */
export const LIST_REFUSED = ['-j', 'list', 'set', 'inet', TABLE, REFUSED] as const;

export const isLoopback = (address: string): boolean => address.startsWith('127.');

/** The rules for `nft -f`. */
export function filterText({ rules, allowed, machine }: FilterParts): string {
  const [inside, others] = [
    allowed.filter(({ address }) => isLoopback(address)),
    allowed.filter(({ address }) => !isLoopback(address)),
  ];
  const places = [
    ...others.map(({ address, port }) => `    ip daddr ${address} tcp dport ${port} accept`),
    ...ports(inside).map((port) => `    ip daddr ${GATEWAY} tcp dport ${port} accept`),
  ];
  const own = machine.filter((address) => !isLoopback(address));
  return `table inet ${TABLE} {
  set ${REFUSED} { type ipv4_addr . inet_proto . inet_service; flags dynamic; size ${MOST_REFUSED}; }
  chain output {
    type filter hook output priority 0; policy drop;
    oifname "lo" accept
    meta nfproto ipv6 reject with icmpx type admin-prohibited
    ct state established,related accept
    ip daddr ${RESOLVER} meta l4proto { tcp, udp } th dport 53 accept
${places.join('\n')}
    ip daddr ${oneOf([CIDR, ...own])} goto refuse
${rules.map((rule) => `    ${ruleText(rule)}`).join('\n')}
    goto refuse
  }
  chain refuse {
    meta l4proto { tcp, udp } add @${REFUSED} { ip daddr . meta l4proto . th dport }
    reject with icmpx type admin-prohibited
  }
  chain forward { type filter hook forward priority 0; policy drop; }
}
${forwarding(ports(inside))}`;
}

/** The loopback address inside stands for the machine's, at the ports that are allowed by name. */
function forwarding(open: readonly number[]): string {
  if (open.length === 0) return '';
  return `table ip ${TABLE} {
  chain output {
    type nat hook output priority -100;
    ip daddr 127.0.0.0/8 tcp dport ${oneOf(open.map(String))} dnat to ${GATEWAY}
  }
  chain postrouting {
    type nat hook postrouting priority 100;
    oifname "${INTERFACE}" ip saddr 127.0.0.0/8 masquerade
  }
}
`;
}

function ruleText({ protocol, destinations, ports: to, type, code, log }: EgressRule): string {
  const [first] = destinations;
  const isAll = first?.[0] === 0 && first[1] === 2 ** 32 - 1;
  const matches = isAll ? [] : [`ip daddr ${oneOf(destinations.map((it) => rangeText(it, addressText)))}`];
  if (protocol === 'icmp') {
    matches.push(type === undefined ? 'meta l4proto icmp' : `icmp type ${type}`);
    if (code !== undefined) matches.push(`icmp code ${code}`);
  } else if (protocol !== 'all') {
    matches.push(`${protocol} dport ${oneOf(to.map((it) => rangeText(it, String)))}`);
  }
  return [...matches, ...(log ? ['log prefix "stager-egress "'] : []), 'accept'].join(' ');
}

function rangeText([from, to]: Range, text: (value: number) => string): string {
  return from === to ? text(from) : `${text(from)}-${text(to)}`;
}

const addressText = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');

const ports = (allowed: readonly AllowedAddress[]): number[] => [...new Set(allowed.map(({ port }) => port))];

const oneOf = (list: readonly string[]): string => `{ ${list.join(', ')} }`;
