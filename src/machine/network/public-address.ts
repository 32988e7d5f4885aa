/** Public addresses: not those of this machine, its network or a cloud's own services. */
import { BlockList, isIP } from 'node:net';

/** RFC 6890 and its kin: what is not for the public. */
const NETWORKS_4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** With those that carry an address of IPv4 inside: mapped, NAT64, 6to4, Teredo. */
const NETWORKS_6 = [
  '::/96',
  '::ffff:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

/** One for each family: a list of both takes an address of IPv4 for its mapped form. */
const [BLOCKED_4, BLOCKED_6] = [listOf(NETWORKS_4, 'ipv4'), listOf(NETWORKS_6, 'ipv6')];

function listOf(networks: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    list.addSubnet(address, Number(bits), family);
  }
  return list;
}

export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  return family === 4 ? !BLOCKED_4.check(address, 'ipv4') : !BLOCKED_6.check(address, 'ipv6');
}
