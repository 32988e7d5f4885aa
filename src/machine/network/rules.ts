/**
 * Egress rules in the format of Cloud Foundry's application security groups: a JSON array, as `cf
 * create-security-group` takes it. What no rule allows is refused.
 */
import { readFile } from 'node:fs/promises';
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';

/** From and to, both included. */
export type Range = readonly [number, number];

/** One rule that was read. */
export interface EgressRule {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'all';
  /** IPv4 addresses as numbers; in order, no two touch. */
  readonly destinations: readonly Range[];
  /** For tcp and udp; in order, no two touch. */
  readonly ports: readonly Range[];
  /** For icmp; absent: any. */
  readonly type?: number;
  readonly code?: number;
  readonly log: boolean;
}

const Ports = z.string().check(
  z.superRefine((text, context) => {
    for (const part of text.split(',')) {
      if (portRange(part) === undefined)
        context.addIssue({
          code: 'custom',
          message: `${JSON.stringify(part.trim())} is not a port (1 to 65535) or a range such as 8000-8010`,
        });
    }
  }),
);

const Destination = z.string().check(
  z.superRefine((text, context) => {
    for (const part of text.split(',')) {
      const why = whyNoDestination(part.trim());
      if (why !== undefined) context.addIssue({ code: 'custom', message: why });
    }
  }),
);

const common = {
  destination: Destination,
  log: z.boolean().optional(),
  description: z.string().optional(),
} as const;
const icmpNumber = z.int().min(-1).max(255);

const Rule = z.discriminatedUnion('protocol', [
  z.strictObject({ protocol: z.literal(['tcp', 'udp']), ports: Ports, ...common }),
  z.strictObject({
    protocol: z.literal(['icmp', 'icmpv6']),
    type: icmpNumber.optional(),
    code: icmpNumber.optional(),
    ...common,
  }),
  z.strictObject({ protocol: z.literal('all'), ...common }),
]);
const Rules = z.array(Rule).max(1_000);

/**
 * Cloud Foundry's `public_networks` and `dns`, and of the former only what is public: no loopback, link-local,
 * carrier-grade, benchmark or multicast addresses. Names are resolved through the machine, so `dns` needs no rule.
 */
export const DEFAULT_RULES: readonly EgressRule[] = [
  {
    protocol: 'all',
    destinations: [
      '1.0.0.0-9.255.255.255',
      '11.0.0.0-100.63.255.255',
      '100.128.0.0-126.255.255.255',
      '128.0.0.0-169.253.255.255',
      '169.255.0.0-172.15.255.255',
      '172.32.0.0-191.255.255.255',
      '192.0.1.0-192.167.255.255',
      '192.169.0.0-198.17.255.255',
      '198.20.0.0-223.255.255.255',
    ].map(addressRange),
    ports: [],
    log: false,
  },
];

/** @throws StagerError CONFIG_INVALID with the place in the file. */
export async function readRules(path: string): Promise<readonly EgressRule[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw broken(path, `can't be read (${errnoOf(error) ?? String(error)})`);
  });
  return parseRules(text, path);
}

/** @throws StagerError CONFIG_INVALID with the place in the file. */
export function parseRules(text: string, path: string): readonly EgressRule[] {
  const json = parseJson(text);
  if (json === undefined) throw broken(path, 'is not JSON');
  const read = Rules.safeParse(json);
  if (!read.success) {
    const [issue] = read.error.issues;
    const at = (issue?.path ?? []).map((it) => (typeof it === 'number' ? `rule ${it + 1}` : String(it)));
    throw broken(
      path,
      [at.join(', '), issue?.message ?? 'is not a list of rules'].filter(Boolean).join(': '),
    );
  }
  return read.data.flatMap(ruleOf);
}

/** A network of a sandbox has no IPv6, so what allows only that allows nothing. */
function ruleOf(rule: z.infer<typeof Rule>): readonly EgressRule[] {
  const destinations = parts(rule.destination).filter((it) => !it.includes(':'));
  if (destinations.length === 0 || rule.protocol === 'icmpv6') return [];
  const { protocol, log = false } = rule;
  const ports =
    'ports' in rule
      ? merged(
          parts(rule.ports)
            .map(portRange)
            .filter((it) => it !== undefined),
        )
      : [];
  const number = (name: 'type' | 'code', value: number | undefined) =>
    value === undefined || value < 0 ? {} : { [name]: value };
  const icmp =
    'type' in rule || 'code' in rule ? { ...number('type', rule.type), ...number('code', rule.code) } : {};
  return [{ protocol, destinations: merged(destinations.map(addressRange)), ports, log, ...icmp }];
}

const parts = (text: string): string[] => text.split(',').map((it) => it.trim());

function portRange(text: string): Range | undefined {
  const [, first = '', second = first] = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/.exec(text.trim()) ?? [];
  const [from, to] = [Number(first), Number(second)];
  return first !== '' && from <= to && to <= 65_535 ? [from, to] : undefined;
}

function whyNoDestination(text: string): string | undefined {
  const [, address = '', bits] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (bits !== undefined && isIP(address) !== 0 && Number(bits) <= (isIPv6(address) ? 128 : 32))
    return undefined;
  if (isIP(text) !== 0) return undefined;
  const [from = '', to = '', ...rest] = text.split('-');
  if (rest.length === 0 && isIPv6(from) && isIPv6(to)) return undefined;
  if (rest.length === 0 && isIPv4(from) && isIPv4(to)) {
    return addressNumber(from) <= addressNumber(to)
      ? undefined
      : `${text} is a range that ends before it begins`;
  }
  return `${JSON.stringify(text)} is not an address, a network such as 10.0.0.0/8 or a range such as 10.0.0.1-10.0.0.9`;
}

/** Of an address, a network or a range, which were checked before. */
function addressRange(text: string): Range {
  const [address = '', bits] = text.split('/');
  const [from = '', to = from] = address.split('-');
  if (bits === undefined) return [addressNumber(from), addressNumber(to)];
  const size = 2 ** (32 - Number(bits));
  const first = Math.floor(addressNumber(from) / size) * size;
  return [first, first + size - 1];
}

/** An IPv4 address as one number. */
export function addressNumber(address: string): number {
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

/** nftables takes no sets whose ranges overlap. */
function merged(ranges: readonly Range[]): readonly Range[] {
  const done: [number, number][] = [];
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    const last = done.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else done.push([from, to]);
  }
  return done;
}

function broken(path: string, what: string): StagerError {
  return new StagerError('CONFIG_INVALID', `the egress rules ${path}: ${what}`, {
    next: 'The file is a JSON array of rules as for cf create-security-group; docs/network.md shows one.',
    details: { path },
  });
}
