import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { addressesOf, mirrorPlaces, parsePlace, proxyPlaces } from '../../../src/machine/network/allowed.ts';
import { listeningAt, withIpv4 } from '../../../src/machine/network/listeners.ts';
import { loopbackNames } from '../../../src/machine/network/loopback.ts';
import { refusedOf } from '../../../src/machine/network/refused.ts';
import { findTools } from '../../../src/machine/network/tools.ts';
import { type EgressState, networkFor } from '../../../src/machine/sandbox/port/network.ts';

const had: EgressState = { had: true, description: 'x', allowed: [] };
const not = (strict: boolean): EgressState => ({
  had: false,
  why: "slirp4netns can't be found",
  next: 'Install slirp4netns to give scripts a private network.',
  strict,
});

describe('the network that scripts get', () => {
  it('is the one that is named', () => {
    expect(networkFor('host', { egress: had })).toEqual({ kind: 'host' });
    expect(networkFor('none', {})).toEqual({ kind: 'none' });
    expect(networkFor('egress', { egress: had })).toEqual({ kind: 'egress' });
  });

  it('is one of their own where it is available', () => {
    expect(networkFor('auto', { egress: had })).toEqual({ kind: 'egress' });
  });

  it('is that of the machine where the tools are missing, with one line that names what to install', () => {
    const { kind, warning = '' } = networkFor('auto', { egress: not(false) });
    expect(kind).toBe('host');
    expect(warning).toContain('Install slirp4netns');
    expect(warning).not.toContain('\n');
  });

  it('is that of the machine in a sandbox without namespaces, which has said so already', () => {
    expect(networkFor('auto', {})).toEqual({ kind: 'host' });
  });

  it('is never less than what was asked for by name, or by rules', () => {
    for (const ask of [
      () => networkFor('egress', { egress: not(false) }),
      () => networkFor('egress', {}),
      () => networkFor('auto', { egress: not(true) }),
    ])
      expect(ask).toThrow(expect.objectContaining({ code: 'SANDBOX_UNAVAILABLE' }));
  });
});

describe('places that are allowed by name', () => {
  it('are a host and a port', () => {
    expect(parsePlace('mirror.example.com:443')).toEqual({ host: 'mirror.example.com', port: 443 });
    for (const text of ['mirror', 'mirror:0', 'mirror:65536', ':80', '[::1]:80', 'http://mirror:80'])
      expect(() => parsePlace(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it("are the operator's proxies", () => {
    const proxy = { http: 'http://u:p@127.0.0.1:3128', https: 'proxy.example.com:8080' };
    expect(proxyPlaces(proxy)).toEqual([
      { host: '127.0.0.1', port: 3128 },
      { host: 'proxy.example.com', port: 8080 },
    ]);
  });

  it("are the mirrors of the machine's package managers and of the operator's variables", async () => {
    const home = await mkdtemp(join(tmpdir(), 'stager-mirrors-'));
    try {
      const [npmrc, pip] = [join(home, 'npmrc'), join(home, 'pip.conf')];
      await writeFile(npmrc, 'registry=http://127.0.0.1:4873/\n');
      await writeFile(pip, '[global]\nindex-url = https://pypi.example.com/simple\n');
      const goproxy = 'http://127.0.0.1:3000|https://go.example.com/x,direct';
      expect(await mirrorPlaces([goproxy], [npmrc, pip, join(home, 'none')])).toEqual([
        { host: '127.0.0.1', port: 4873 },
        { host: 'pypi.example.com', port: 443 },
        { host: '127.0.0.1', port: 3000 },
        { host: 'go.example.com', port: 443 },
      ]);
    } finally {
      await rm(home, { recursive: true });
    }
  });

  it('are looked up once, and left out where nobody knows them', async () => {
    const places = [
      { host: '127.0.0.1', port: 1 },
      { host: '127.0.0.1', port: 1 },
      { host: 'localhost', port: 2 },
      { host: 'nobody.invalid', port: 3 },
      { host: '::1', port: 4 },
    ];
    expect(await addressesOf(places)).toEqual([
      { address: '127.0.0.1', port: 1 },
      { address: '127.0.0.1', port: 2 },
    ]);
  });
});

it('variables that name the loopback interface of the machine are told, without what else they hold', () => {
  const variables = {
    DATABASE_URL: 'postgres://me:secret@localhost:5432/app',
    NPM_CONFIG_REGISTRY: 'http://127.0.0.1:4873',
    ALLOWED: 'http://localhost:3000/x',
    PUBLIC: 'https://example.com:443/localhost',
  };
  expect(loopbackNames(variables, ['127.0.0.1:3000'])).toEqual([
    'DATABASE_URL names localhost:5432 (--allow-host localhost:5432)',
    'NPM_CONFIG_REGISTRY names 127.0.0.1:4873 (--allow-host 127.0.0.1:4873)',
  ]);
});

it('who listens is read from the table of the kernel', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   2: 0100007F:1F92 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   3: 00000000000000000000000001000000:1F93 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 1 1 0 1 0 0 1 0
   4: 00000000000000000000000000000000:1F94 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 1 1 0 1 0 0 1 0`;
  const at = (port: number) => listeningAt(table, port);
  expect([8080, 8081, 8082, 8083, 8084].map(at)).toEqual([['127.0.0.1'], ['0.0.0.0'], [], ['::1'], ['::']]);
});

it.each([
  [false, ['::', '0.0.0.0']],
  [true, ['::']],
])(
  'a socket at :: that takes IPv6 only (%s) is told from one that takes both',
  async (ipv6Only, expected) => {
    const server = createServer().listen({ host: '::', port: 0, ipv6Only });
    try {
      await once(server, 'listening');
      const { port } = z.object({ port: z.number() }).parse(server.address());
      expect(await withIpv4(['::'], ['/usr/bin/env'], port)).toEqual(expected);
    } finally {
      server.close();
    }
  },
);

it('what was refused is read from the set of the filter', () => {
  const set = {
    family: 'inet',
    elem: [{ concat: ['169.254.169.254', 'tcp', 80] }, { concat: ['10.1.2.3', 'udp', 53] }],
  };
  expect(refusedOf(JSON.stringify({ nftables: [{ metainfo: {} }, { set }] }))).toEqual([
    '10.1.2.3:53/udp',
    '169.254.169.254:80/tcp',
  ]);
  expect(refusedOf('')).toEqual([]);
  expect(refusedOf(JSON.stringify({ nftables: [{ set: { family: 'inet' } }] }))).toEqual([]);
});

it('tools that are missing are named, with what to install', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'stager-tools-'));
  try {
    for (const name of ['unshare', 'nsenter', 'slirp4netns']) {
      await writeFile(join(directory, name), '');
      await chmod(join(directory, name), 0o755);
    }
    expect(await findTools([directory])).toMatchObject({
      why: "nft can't be found",
      next: expect.stringContaining('Install nftables'),
    });
    expect(await findTools([])).toMatchObject({ next: expect.stringContaining('slirp4netns and nftables') });
  } finally {
    await rm(directory, { recursive: true });
  }
});
