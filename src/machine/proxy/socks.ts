/** What is said to a SOCKS5 proxy (RFC 1928 and 1929), with refusals in the words of Go's client. */
import { once } from 'node:events';
import { isIP, isIPv6, type Socket } from 'node:net';
import type { ProxyServer } from './rules.ts';

/** A host, by name or address, and a port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const USER_AND_PASSWORD = 2;
const REFUSALS = [
  '',
  'general SOCKS server failure',
  'connection not allowed by ruleset',
  'network unreachable',
  'host unreachable',
  'connection refused',
  'TTL expired',
  'command not supported',
  'address type not supported',
] as const;

/** Makes `socket`, which leads to `proxy`, lead to `target`; the proxy looks the name up. @throws Error */
export async function throughSocks(
  socket: Socket,
  proxy: ProxyServer,
  to: { readonly target: Endpoint; readonly signal: AbortSignal },
): Promise<void> {
  await greet(socket, proxy, to.signal);
  await ask(socket, to.target, to.signal);
}

async function greet(socket: Socket, { user }: ProxyServer, signal: AbortSignal): Promise<void> {
  const methods = user === undefined ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USER_AND_PASSWORD];
  socket.write(Buffer.from([VERSION, methods.length, ...methods]));
  const [version, method] = await take(socket, 2, signal);
  if (version !== VERSION) throw new Error(`unexpected protocol version ${version}`);
  if (method === NO_AUTHENTICATION) return;
  if (method !== USER_AND_PASSWORD || user === undefined)
    throw new Error('no acceptable authentication methods');
  socket.write(Buffer.concat([Buffer.from([1]), lengthed(user.name), lengthed(user.password)]));
  const [, status] = await take(socket, 2, signal);
  if (status !== 0) throw new Error('username/password authentication failed');
}

async function ask(socket: Socket, { host, port }: Endpoint, signal: AbortSignal): Promise<void> {
  const tail = Buffer.from([port >> 8, port & 0xff]);
  socket.write(Buffer.concat([Buffer.from([VERSION, 1, 0]), addressOf(host), tail]));
  const [version, reply = 0, , type] = await take(socket, 4, signal);
  if (version !== VERSION) throw new Error(`unexpected protocol version ${version}`);
  if (reply !== 0) throw new Error(`unknown error ${REFUSALS[reply] ?? `unknown code: ${reply}`}`);
  const [length = 0] = type === 1 ? [4] : type === 4 ? [16] : await take(socket, 1, signal);
  await take(socket, length + 2, signal);
}

function addressOf(host: string): Buffer {
  if (isIP(host) === 0) return Buffer.concat([Buffer.from([3]), lengthed(host)]);
  if (isIPv6(host)) return Buffer.concat([Buffer.from([4]), ipv6Bytes(host)]);
  return Buffer.from([1, ...host.split('.').map(Number)]);
}

function ipv6Bytes(host: string): Buffer {
  // The URL parser writes an address in its one short form, IPv4 tails included.
  const [head = '', tail = ''] = new URL(`http://[${host}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string): readonly string[] => (text === '' ? [] : text.split(':'));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: missing }, () => '0'), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function lengthed(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

async function take(socket: Socket, count: number, signal: AbortSignal): Promise<Buffer> {
  for (;;) {
    const chunk: unknown = socket.read(count);
    if (Buffer.isBuffer(chunk) && chunk.length === count) return chunk;
    if (Buffer.isBuffer(chunk) || socket.readableEnded) throw new Error('EOF');
    await once(socket, 'readable', { signal });
  }
}
