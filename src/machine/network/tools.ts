/** The programs that a private network needs, and whether they can be used here. */
import { access, constants, readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { firstExecutable, SYSTEM_DIRECTORIES } from '../sandbox/kernel/programs.ts';

/** Absolute paths. */
export interface NetworkTools {
  readonly slirp4netns: string;
  readonly nft: string;
  readonly unshare: string;
  readonly nsenter: string;
}

/** Why it is not available, and what helps. */
export interface NoNetwork {
  readonly why: string;
  readonly next: string;
}

const DEVICE = '/dev/net/tun';
const PACKAGES: Readonly<Record<keyof NetworkTools, string>> = {
  slirp4netns: 'slirp4netns',
  nft: 'nftables',
  unshare: 'util-linux',
  nsenter: 'util-linux',
};

/** Looks for what is needed; whether it works is found by trying. */
export async function findTools(
  directories: readonly string[] = ['/usr/local/sbin', '/usr/local/bin', ...SYSTEM_DIRECTORIES],
): Promise<NetworkTools | NoNetwork> {
  const find = (name: string) => firstExecutable(name, directories);
  const [slirp4netns, nft, unshare, nsenter] = await Promise.all(Object.keys(PACKAGES).map(find));
  const tools = { slirp4netns, nft, unshare, nsenter };
  if (slirp4netns === undefined || nft === undefined || unshare === undefined || nsenter === undefined) {
    const missing = Object.entries(PACKAGES).filter(([name]) => Reflect.get(tools, name) === undefined);
    const packages = [...new Set(missing.map(([, name]) => name))].join(' and ');
    return {
      why: `${missing.map(([name]) => name).join(' and ')} can't be found`,
      next: `Install ${packages} to give scripts a private network.`,
    };
  }
  return (await whyNoDevice()) ?? (await whyNoResolver()) ?? { slirp4netns, nft, unshare, nsenter };
}

/** Where it can't be opened some programs wait forever without a word. */
async function whyNoDevice(): Promise<NoNetwork | undefined> {
  const usable = await access(DEVICE, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (usable) return undefined;
  return {
    why: `${DEVICE} can't be opened by this user`,
    next: `Make it writable (chmod 0666 ${DEVICE}, as on most systems), or load the module tun.`,
  };
}

async function whyNoResolver(): Promise<NoNetwork | undefined> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, server = '']) => server);
  if (servers.length === 0 || servers.some((it) => isIPv4(it))) return undefined;
  return {
    why: 'all resolvers in /etc/resolv.conf have IPv6 addresses, and a private network has only IPv4',
    next: 'Add a resolver with an IPv4 address.',
  };
}
