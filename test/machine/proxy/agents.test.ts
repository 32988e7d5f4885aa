/** Our own requests through proxies of each kind; the names are known to the proxies only. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { httpClient } from '../../../src/machine/proxy/http-client.ts';
import { httpProxy } from '../../support/http-proxy.ts';
import { portOf } from '../../support/resigning-proxy.ts';
import { socksServer } from '../../support/socks-server.ts';
import { TestAuthority } from '../../support/test-authority.ts';

const asked: string[] = [];
const note = (line: string): void => {
  asked.push(line);
};
const authority = new TestAuthority('proxies');
const servers = {
  http: createServer((_, response) => response.end('plain')),
  https: createTlsServer(authority.identity('host.test'), (_, response) => response.end('secure')),
  proxy: httpProxy(note),
  tlsProxy: httpProxy(note, authority.identity('127.0.0.1')),
  socks: socksServer(note),
};

beforeAll(async () => {
  for (const server of Object.values<Server>(servers)) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
});
beforeEach(() => {
  asked.length = 0;
});
afterAll(async () => {
  servers.http.closeAllConnections();
  servers.https.closeAllConnections();
  for (const server of Object.values<Server>(servers)) {
    await new Promise((resolve) => server.close(resolve));
  }
  authority.close();
});

async function get(scheme: 'http' | 'https', proxy: string, host = 'host.test'): Promise<string> {
  const client = httpClient({ proxy: { http: proxy, https: proxy }, extraCa: [authority.pem] });
  const { body } = await client(`${scheme}://${host}:${portOf(servers[scheme])}/x?y=z`);
  return body;
}

describe('a request', () => {
  it('for http asks a proxy of HTTP for the whole address, and says who we are', async () => {
    expect(await get('http', `us:pw@127.0.0.1:${portOf(servers.proxy)}`)).toBe('plain');
    const host = `host.test:${portOf(servers.http)}`;
    const who = `Basic ${Buffer.from('us:pw').toString('base64')}`;
    expect(asked).toEqual([`proxy GET http://${host}/x?y=z host ${host} ${who}`]);
  });

  it('for https asks it for a connection', async () => {
    expect(await get('https', `http://127.0.0.1:${portOf(servers.proxy)}`)).toBe('secure');
    expect(asked).toEqual([`proxy CONNECT host.test:${portOf(servers.https)} anybody`]);
  });

  it.each(['http', 'https'] as const)(
    'for %s goes through a proxy that is reached over TLS',
    async (scheme) => {
      const body = await get(scheme, `https://127.0.0.1:${portOf(servers.tlsProxy)}`);
      expect(body).toBe(scheme === 'http' ? 'plain' : 'secure');
      expect(asked).toHaveLength(1);
    },
  );

  it.each(['http', 'https'] as const)(
    'for %s goes through a SOCKS proxy, which knows the name',
    async (scheme) => {
      const body = await get(scheme, `socks5h://friend:pw@127.0.0.1:${portOf(servers.socks)}`);
      expect(body).toBe(scheme === 'http' ? 'plain' : 'secure');
      expect(asked).toEqual(['socks name host.test']);
    },
  );

  it('fails with the name of a proxy that does not make the connection, without its password', async () => {
    const proxy = `us:secret@127.0.0.1:${portOf(servers.proxy)}`;
    await expect(get('https', proxy, 'refused.test')).rejects.toMatchObject({
      code: 'ERR_PROXY_REFUSED',
      message: `the proxy 127.0.0.1:${portOf(servers.proxy)}: 403 Not For You`,
    });
    await expect(get('http', 'http://us:secret@127.0.0.1:1')).rejects.toMatchObject({
      code: 'ERR_PROXY_REFUSED',
      message: 'the proxy 127.0.0.1:1: ECONNREFUSED',
    });
  });

  it.each(['ftp://127.0.0.1:1', 'http://[::1'])(
    'never goes past a proxy that can not be used: %s',
    async (proxy) => {
      await expect(get('http', proxy)).rejects.toThrow("can't be used");
    },
  );
});
