import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DownloadFilter, type ResolveName } from '../../../src/machine/network/download-filter.ts';
import { FilteringProxy } from '../../../src/machine/network/filtering-proxy.ts';
import { DEFAULT_RULES, parseRules } from '../../../src/machine/network/rules.ts';
import { httpClient } from '../../../src/machine/proxy/http-client.ts';
import { download } from '../../../src/staging/buildpack/acquire/download.ts';
import { clone } from '../../../src/staging/buildpack/acquire/git.ts';
import { systemClock } from '../../../src/words/clock.ts';

let server: Server;
let port = 0;
let dir = '';
/** Paths that the server was asked for. */
const asked: string[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-download-filter-'));
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/away')
      response.writeHead(302, { location: `http://secret.example:${port}/secret` }).end();
    else response.end('reached');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true, force: true });
});

const local: ResolveName = async () => [{ address: '127.0.0.1', family: 4 }];
const signal = new AbortController().signal;

/** `open.example` is allowed by name at the server's port; every name is this machine. */
const filterOf = (resolve = local, rules = DEFAULT_RULES) =>
  new DownloadFilter({ rules, allowed: [{ host: 'open.example', port }] }, resolve);

const addressOf = (text: string) => ({ url: text });
/** Nothing is sent to the outside: what is not refused gives up at once. */
const atOnce = AbortSignal.abort(new Error('was aborted'));

function fetching(url: string, filter: DownloadFilter) {
  const { dial, beforeProxy } = filter;
  const http = httpClient({ proxy: {}, extraCa: [], dial, beforeProxy });
  return download(
    { key: 'mine', address: addressOf(url) },
    { http, cacheDir: join(dir, 'cache'), clock: systemClock, signal },
  );
}

it.each([
  '127.0.0.1',
  '127.1.2.3',
  '10.1.2.3',
  '169.254.169.254',
  '172.16.0.1',
  '192.168.0.1',
  '100.100.100.200',
  '0.0.0.0',
  '[::1]',
  '[fe80::1]',
  '[fd00::1]',
  '[::ffff:127.0.0.1]',
  'localhost',
  'private.example',
])('a server does not download from %s for its users, and asks once', async (host) => {
  const before = asked.length;
  await expect(fetching(`http://${host}:${port}/x`, filterOf())).rejects.toMatchObject({
    code: 'BUILDPACK_DOWNLOAD_FAILED',
    message: expect.stringContaining('the egress rules of this server do not allow'),
    next: expect.stringContaining('--allow-host'),
  });
  expect(asked).toHaveLength(before);
});

it('what an operator allows by name is reached, and a redirect from there to elsewhere is not', async () => {
  const from = (path: string) => fetching(`http://open.example:${port}${path}`, filterOf());
  expect(await from('/fine')).toMatchObject({ path: expect.any(String) });
  await expect(from('/away')).rejects.toThrow(/do not allow secret\.example:\d+ \(127\.0\.0\.1\)/);
  expect(asked).not.toContain('/secret');
});

it('a name that changes its mind is connected to where it was looked up, or not at all', async () => {
  const answers = ['8.8.8.8', '127.0.0.1', '127.0.0.1'];
  const lookups: string[] = [];
  const filter = filterOf(async (host) => {
    lookups.push(host);
    return [{ address: answers[lookups.length - 1] ?? '127.0.0.1', family: 4 }];
  });
  // The first answer is public: only that may be connected to, however often the name would be asked again.
  await expect(filter.dial({ host: 'rebinds.example', port }, atOnce)).rejects.toThrow('was aborted');
  expect(lookups).toHaveLength(1);
  await expect(filter.dial({ host: 'rebinds.example', port }, signal)).rejects.toThrow(/do not allow/);
  expect(lookups).toHaveLength(2);
});

it('rules of the operator open ranges, ports apart, and never the machine itself', async () => {
  const rules = parseRules(
    JSON.stringify([{ protocol: 'tcp', destination: '10.0.0.0/8,127.0.0.0/8', ports: '443' }]),
    'rules.json',
  );
  const to = (host: string, at: number) => filterOf(undefined, rules).dial({ host, port: at }, atOnce);
  await expect(to('10.9.8.7', 80)).rejects.toThrow(/do not allow/);
  await expect(to('127.0.0.1', 443)).rejects.toThrow(/do not allow/);
  await expect(to('8.8.8.8', 443)).rejects.toThrow(/do not allow/);
  await expect(to('10.9.8.7', 443)).rejects.toThrow('was aborted');
});

it.each(['http', 'https'])('git clones nothing over %s from where a server may not go', async (scheme) => {
  const before = asked.length;
  const url = `${scheme}://private.example:${port}/repo.git`;
  const cloning = clone({ kind: 'git', key: url, address: addressOf(url) }, join(dir, 'tree'), {
    searchPath: '/usr/bin:/bin',
    proxy: {},
    filter: () => FilteringProxy.open(filterOf(), { proxy: {}, extraCa: [] }),
    signal,
  });
  await expect(cloning).rejects.toThrow(/do not allow private\.example:\d+ \(127\.0\.0\.1\)/);
  expect(asked).toHaveLength(before);
});

it('git reaches what is allowed by name, and no helper but that of http', async () => {
  const before = asked.length;
  const of = (url: string) =>
    clone({ kind: 'git', key: url, address: addressOf(url) }, join(dir, 'tree'), {
      searchPath: '/usr/bin:/bin',
      proxy: {},
      filter: () => FilteringProxy.open(filterOf(), { proxy: {}, extraCa: [] }),
      signal,
    });
  // It is no repository, which git finds out by asking.
  await expect(of(`http://open.example:${port}/repo.git`)).rejects.toThrow(/can't be cloned/);
  expect(asked.slice(before)).toContain('/repo.git/info/refs?service=git-upload-pack');
  await expect(of('ssh://git@open.example/repo.git')).rejects.toThrow(/transport 'ssh' not allowed/);
});

it('a proxy of the operator is reached wherever it is, and asked for nothing of the machine', async () => {
  const proxied: string[] = [];
  const proxy = createServer((request, response) => {
    proxied.push(request.url ?? '');
    response.end('by proxy');
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  const at = typeof address === 'object' && address !== null ? address.port : 0;
  const filter = new DownloadFilter(
    { rules: DEFAULT_RULES, allowed: [{ host: '127.0.0.1', port: at }] },
    local,
  );
  const { dial, beforeProxy } = filter;
  const http = httpClient({
    proxy: { http: `http://127.0.0.1:${at}` },
    extraCa: [],
    dial,
    beforeProxy,
  });
  try {
    expect(await http.get('http://somewhere.example/x').text()).toBe('by proxy');
    await expect(http.get('http://169.254.169.254/x').text()).rejects.toThrow(/do not allow/);
    expect(proxied).toEqual(['http://somewhere.example/x']);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});
