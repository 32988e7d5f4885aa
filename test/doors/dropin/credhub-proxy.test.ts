import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { credhubDial } from '../../../src/doors/dropin/credhub-proxy.ts';
import { type GoUrl, parseUrl } from '../../../src/words/go-url.ts';
import { socksServer } from '../../support/socks-server.ts';

const asked: string[] = [];
const proxy = socksServer((line) => asked.push(line));
const credhub = createServer((socket) => socket.end('reached'));
let proxyPort = 0;
let port = 0;
beforeAll(async () => {
  proxyPort = await listen(proxy);
  port = await listen(credhub);
});
beforeEach(() => {
  asked.length = 0;
});
afterAll(() => {
  proxy.close();
  credhub.close();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function url(host: string): GoUrl {
  const parsed = parseUrl(`https://${host}`);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.url;
}

async function reach(host: string, user = ''): Promise<string> {
  const dial = credhubDial(url(host), { CREDHUB_PROXY: `socks5://${user}127.0.0.1:${proxyPort}` });
  const socket = await dial?.({ host: host.replace(/[[\]]/g, ''), port }, AbortSignal.timeout(30_000));
  return socket === undefined ? 'directly' : await text(socket);
}

describe('CREDHUB_PROXY', () => {
  it.each([
    ['credhub.service.internal', '', 'name credhub.service.internal'],
    ['127.0.0.1', '', 'address 127.0.0.1'],
    ['[fd00:1::ff]', '', `address fd000001${'0'.repeat(20)}00ff`],
    ['[::ffff:192.0.2.1]', '', `address ${'0'.repeat(20)}ffffc0000201`],
    ['credhub', 'friend:pw@', 'name credhub'],
  ])('leads to %s, whose name the proxy looks up', async (host, user, line) => {
    expect(await reach(host, user)).toBe('reached');
    expect(asked).toEqual([`socks ${line}`]);
  });

  it('says in the original words what the proxy refuses', async () => {
    const start = `socks connect tcp 127.0.0.1:${proxyPort}->`;
    await expect(reach('refused')).rejects.toThrow(`${start}refused:${port}: unknown error host unreachable`);
    await expect(reach('x', 'other:pw@')).rejects.toThrow(
      `${start}x:${port}: username/password authentication failed`,
    );
  });

  it.each(['', 'http://127.0.0.1:1', 'ssh+socks5://u@h:22', 'a b://%'])(
    'that is %j counts for nothing',
    (value) => {
      expect(credhubDial(url('h'), { CREDHUB_PROXY: value })).toBeUndefined();
    },
  );

  it.each([
    ['credhub', 'other, credhub'],
    ['a.internal', '*.internal'],
    ['10.1.2.3', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3'],
    ['[fd00::1]:8844', 'fd00::/16'],
  ])('is left out for %s by no_proxy %s', (host, list) => {
    const env = { CREDHUB_PROXY: 'socks5://p', no_proxy: list };
    expect(credhubDial(url(host), env)).toBeUndefined();
    expect(credhubDial(url('elsewhere'), env)).toBeDefined();
    expect(credhubDial(url('192.0.2.1'), env)).toBeDefined();
  });
});
