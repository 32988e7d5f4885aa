import { describe, expect, it } from 'vitest';
import { filterText } from '../../../src/machine/network/filter.ts';
import { DEFAULT_RULES, parseRules } from '../../../src/machine/network/rules.ts';
import { StagerError } from '../../../src/words/errors.ts';

const textOf = (rules: unknown): string =>
  filterText({ rules: parseRules(JSON.stringify(rules), 'rules.json'), allowed: [], machine: [] });

describe('rules of a security group', () => {
  it.each([
    [
      'an address and a port',
      { protocol: 'tcp', destination: '1.2.3.4', ports: '443' },
      'ip daddr { 1.2.3.4 } tcp dport { 443 } accept',
    ],
    [
      'a network with host bits, ports as list and range',
      { protocol: 'udp', destination: '10.1.2.3/8', ports: '53, 8000-8010,8005' },
      'ip daddr { 10.0.0.0-10.255.255.255 } udp dport { 53, 8000-8010 } accept',
    ],
    [
      'ranges and networks that overlap',
      { protocol: 'all', destination: '10.0.0.1-10.0.0.9,10.0.0.5-10.0.0.20,192.168.0.0/16' },
      'ip daddr { 10.0.0.1-10.0.0.20, 192.168.0.0-192.168.255.255 } accept',
    ],
    [
      'everything, with a description',
      { protocol: 'tcp', destination: '0.0.0.0/0', ports: '1-65535', description: 'all of TCP' },
      '    tcp dport { 1-65535 } accept',
    ],
    [
      'icmp of one type and code',
      { protocol: 'icmp', destination: '1.2.3.4', type: 8, code: 0 },
      'ip daddr { 1.2.3.4 } icmp type 8 icmp code 0 accept',
    ],
    [
      'icmp of any type, -1 as Cloud Foundry writes it',
      { protocol: 'icmp', destination: '1.2.3.4', type: -1, code: -1 },
      'ip daddr { 1.2.3.4 } meta l4proto icmp accept',
    ],
    [
      'a log of connections',
      { protocol: 'tcp', destination: '1.2.3.4', ports: '80', log: true },
      'tcp dport { 80 } log prefix "stager-egress " accept',
    ],
  ])('can be %s', (_, rule, line) => {
    expect(textOf([rule])).toContain(line);
  });

  it('of IPv6 allow nothing, since there is none', () => {
    const none = textOf([]);
    expect(textOf([{ protocol: 'all', destination: '::/0' }])).toBe(none);
    expect(textOf([{ protocol: 'icmpv6', destination: '2001:db8::1', type: 1, code: 1 }])).toBe(none);
    expect(
      textOf([{ protocol: 'tcp', destination: '2001:db8::1-2001:db8::9,1.2.3.4', ports: '1' }]),
    ).toContain('ip daddr { 1.2.3.4 } tcp dport { 1 } accept');
  });

  it.each([
    ['not JSON', '[', 'is not JSON'],
    ['no list', { rules: [] }, 'expected array'],
    ['no port', [{ protocol: 'tcp', destination: '1.2.3.4' }], 'rule 1, ports'],
    ['a port of all', [{ protocol: 'all', destination: '1.2.3.4', ports: '1' }], 'rule 1'],
    ['port 0', [{ protocol: 'tcp', destination: '1.2.3.4', ports: '0' }], '"0" is not a port'],
    [
      'a port too large',
      [{ protocol: 'tcp', destination: '1.2.3.4', ports: '65536' }],
      '"65536" is not a port',
    ],
    ['ports backwards', [{ protocol: 'tcp', destination: '1.2.3.4', ports: '9-8' }], '"9-8" is not a port'],
    ['a name', [{ protocol: 'all', destination: 'example.com' }], '"example.com" is not an address'],
    [
      'a network too small',
      [{ protocol: 'all', destination: '1.2.3.4/33' }],
      '"1.2.3.4/33" is not an address',
    ],
    ['a range backwards', [{ protocol: 'all', destination: '1.2.3.9-1.2.3.4' }], 'ends before it begins'],
    ['another protocol', [{ protocol: 'sctp', destination: '1.2.3.4' }], 'rule 1, protocol'],
    ['a word too many', [{ protocol: 'all', destination: '1.2.3.4', port: '1' }], 'port'],
    [
      'one broken rule after a good one',
      [
        { protocol: 'all', destination: '1.2.3.4' },
        { protocol: 'all', destination: '' },
      ],
      'rule 2, destination: "" is not',
    ],
  ])('are refused with their place: %s', (_, rules, what) => {
    const text = typeof rules === 'string' ? rules : JSON.stringify(rules);
    const refused = (() => {
      try {
        return parseRules(text, '/etc/rules.json');
      } catch (error) {
        return error;
      }
    })();
    expect(refused).toBeInstanceOf(StagerError);
    expect(refused).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(String(refused)).toContain('/etc/rules.json');
    expect(String(refused)).toContain(what);
  });
});

describe('the usual rules', () => {
  const inside = (address: string): boolean => {
    const number = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
    return DEFAULT_RULES.some(({ destinations }) =>
      destinations.some(([from, to]) => from <= number && number <= to),
    );
  };

  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '100.63.255.255',
    '172.15.0.1',
    '172.32.0.1',
    '192.167.0.1',
    '223.255.255.255',
  ])('let %s through', (address) => {
    expect(inside(address)).toBe(true);
  });

  it.each([
    ['this network', '0.0.0.0'],
    ['loopback', '127.0.0.1'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['carrier-grade, with a metadata service', '100.100.100.200'],
    ['link-local, with most metadata services', '169.254.169.254'],
    ['one more metadata service', '192.0.0.192'],
    ['benchmarks', '198.18.0.1'],
    ['multicast', '224.0.0.1'],
    ['broadcast', '255.255.255.255'],
  ])('do not let %s through: %s', (_, address) => {
    expect(inside(address)).toBe(false);
  });
});

describe('the filter', () => {
  it("refuses the machine's own addresses and the gateway before any rule, and lets what is named through before", () => {
    const text = filterText({
      rules: parseRules(JSON.stringify([{ protocol: 'all', destination: '0.0.0.0/0' }]), 'x'),
      allowed: [
        { address: '192.0.2.2', port: 3128 },
        { address: '127.0.0.1', port: 4873 },
      ],
      machine: ['127.0.0.1', '192.0.2.2'],
    });
    const order = [
      'ip daddr 192.0.2.2 tcp dport 3128 accept',
      'ip daddr 198.51.100.2 tcp dport 4873 accept',
      'ip daddr { 198.51.100.0/24, 192.0.2.2 } goto refuse',
      '    accept',
    ].map((line) => text.indexOf(line));
    expect(order).not.toContain(-1);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(text).toContain('ip daddr 127.0.0.0/8 tcp dport { 4873 } dnat to 198.51.100.2');
  });

  it('forwards nothing of the loopback address when nothing of it is named', () => {
    expect(textOf([])).not.toContain('dnat');
  });
});
