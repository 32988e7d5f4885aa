/** Which ports are listened on in a network namespace: /proc/<pid>/net/tcp of a process in it. */
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';

const LISTEN = '0A';

/** Addresses at which something listens at a TCP port, in a network that the process is in. */
export async function listenersOf(pid: number, port: number): Promise<readonly string[]> {
  const texts = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8').catch(() => '')),
  );
  return texts.flatMap((text) => listeningAt(text, port));
}

/** $1 port. Not the address that localhost is: who listens there only is no answer. */
const CONNECT = `require('node:net').connect(process.argv[1], '127.0.0.2')
  .once('connect', () => process.exit(0)).once('error', () => process.exit(1))`;

/**
 * Adds `0.0.0.0` where a socket at `::` takes IPv4 as well. The kernel's table does not say, so it is tried.
 *
 * @param enter command line that puts what follows into the network
 */
export async function withIpv4(
  found: readonly string[],
  enter: readonly [string, ...string[]],
  port: number,
): Promise<readonly string[]> {
  if (!found.includes('::') || found.includes('0.0.0.0')) return found;
  const [program, ...args] = enter;
  const tried = await execa(program, [...args, process.execPath, '-e', CONNECT, String(port)], {
    reject: false,
    stdin: 'ignore',
    env: {},
    timeout: 5_000,
  });
  return tried.exitCode === 0 ? [...found, '0.0.0.0'] : found;
}

/** Pure: the table's text → addresses; `0.0.0.0` is all of IPv4, `::` all of IPv6. */
export function listeningAt(table: string, port: number): readonly string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [address = '', at] = local.split(':');
    return state === LISTEN && at === wanted ? [addressText(address)] : [];
  });
}

/** Words of four bytes, each in the machine's order, which is little-endian on all that Node runs on here. */
function addressText(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).toReversed());
  const numbers = bytes.map((it) => Number.parseInt(it, 16));
  if (numbers.length === 4) return numbers.join('.');
  if (numbers.every((it) => it === 0)) return '::';
  if (numbers.at(-1) === 1 && numbers.slice(0, -1).every((it) => it === 0)) return '::1';
  const groups = Array.from({ length: 8 }, (_, at) => `${bytes[at * 2]}${bytes[at * 2 + 1]}`.toLowerCase());
  return groups.join(':');
}
