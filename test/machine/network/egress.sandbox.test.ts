/** What a script reaches of a network of its own, and what is left of it. */
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseRules } from '../../../src/machine/network/rules.ts';
import { findTools } from '../../../src/machine/network/tools.ts';
import { SandboxFixture } from '../../support/sandbox-fixture.ts';

const tools = await findTools();
const isRoot = process.getuid?.() === 0;
const why = 'why' in tools ? tools.why : isRoot ? undefined : 'the tests do not run as root';
const unless = why === undefined ? '' : ` (not run: ${why})`;
const RIG = fileURLToPath(new URL('../../support/egress-rig.ts', import.meta.url));
const METADATA = '169.254.169.254';
const PRIVATE = '10.213.77.1';
const ABSTRACT = `stager-egress-test-${process.pid}`;
/** Holds the two addresses above, as a cloud's machine and its neighbours do. */
const DUMMY = `stg${process.pid % 1_000_000}`;

const servers: Server[] = [];
let taken = 0;

/** A server on a free port that counts who gets to it. */
async function listen(host: string): Promise<number> {
  const server = createServer((socket) => {
    taken += 1;
    socket.on('error', () => undefined);
    socket.end('reached\n');
  });
  servers.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  return z.object({ port: z.number() }).parse(server.address()).port;
}

const own = (family: 'IPv4' | 'IPv6'): string | undefined =>
  Object.values(networkInterfaces())
    .flatMap((it) => it ?? [])
    .find((it) => it.family === family && !it.internal && it.scopeid !== 2 && !it.address.startsWith('fe80'))
    ?.address;

describe.skipIf(why !== undefined)(`a script with a network of its own${unless}`, () => {
  let fixture: SandboxFixture;
  /** Name of the attack → what it said; the address that it tried. */
  let said: ReadonlyMap<string, string>;
  let refused: readonly string[] = [];
  const tried = new Map<string, string>();

  beforeAll(async () => {
    const ip = (...args: string[]) => spawnSync('ip', args).status === 0;
    const hasDummy = ip('link', 'add', DUMMY, 'type', 'dummy') && ip('link', 'set', DUMMY, 'up');
    if (hasDummy) for (const at of [METADATA, PRIVATE]) ip('addr', 'add', `${at}/32`, 'dev', DUMMY);
    const loopback = await listen('127.0.0.1');
    const allowed = await listen('127.0.0.1');
    const everywhere = await listen('0.0.0.0');
    tried.set('loopback', `127.0.0.1/${loopback}`);
    tried.set('gateway', `198.51.100.2/${loopback}`);
    tried.set('resolver', `198.51.100.3/${everywhere}`);
    tried.set('address', `${own('IPv4') ?? '192.0.2.2'}/${everywhere}`);
    tried.set('metadata', `${METADATA}/${hasDummy ? await listen(METADATA) : 80}`);
    tried.set('private', `${PRIVATE}/${hasDummy ? await listen(PRIVATE) : 80}`);
    tried.set('loopback6', `::1/${await listen('::1').catch(() => 1)}`);
    tried.set('address6', `${own('IPv6') ?? '2001:db8::1'}/${await listen('::').catch(() => 1)}`);
    tried.set('allowed', `127.0.0.1/${allowed}`);
    const abstract = createServer().listen(`\0${ABSTRACT}`);
    servers.push(abstract);
    await once(abstract, 'listening');
    const policy = {
      rules: parseRules('[{"protocol":"all","destination":"0.0.0.0/0"}]', 'test'),
      allowed: [{ host: 'localhost', port: allowed }],
    };
    fixture = await SandboxFixture.open('oci', { staging: policy, running: policy });
    const attacks = [...tried].map(
      ([name, address]) =>
        `echo ${name} $(timeout 5 bash -c 'exec 3<>/dev/tcp/${address} && head -1 <&3' 2>/dev/null || echo refused)`,
    );
    const names =
      'echo abstract $(grep -c stager-egress-test /proc/net/unix); echo resolv $(head -1 /etc/resolv.conf)';
    const ran = await fixture.run({ network: 'egress', script: [...attacks, names].join('\n') });
    said = new Map(
      ran.text.split('\n').map((line) => [line.split(' ')[0] ?? '', line.slice(line.indexOf(' ') + 1)]),
    );
    refused = (await fixture.sandbox.ownNetwork?.refused()) ?? [];
  }, 120_000);

  afterAll(async () => {
    await fixture?.close();
    for (const server of servers) server.close();
    spawnSync('ip', ['link', 'del', DUMMY]);
  });

  it.each([
    ["the machine's loopback", 'loopback'],
    ["the machine's loopback through the gateway", 'gateway'],
    ["a service of the machine through the resolver's address", 'resolver'],
    ['an own address of the machine', 'address'],
    ["a cloud's metadata service, though the rules allow all addresses", 'metadata'],
    ['a private address of the machine', 'private'],
    ["the machine's IPv6 loopback", 'loopback6'],
    ['an IPv6 address', 'address6'],
  ])('does not reach %s', (_, name) => {
    expect(said.get(name)).toBe('refused');
  });

  it('sees no abstract socket of the machine', () => {
    expect(readFileSync('/proc/net/unix', 'latin1')).toContain(ABSTRACT);
    expect(said.get('abstract')).toBe('0');
  });

  it('reaches a port of the machine that is allowed by name, at the same address, and nothing else was reached', () => {
    expect(said.get('allowed')).toBe('reached');
    expect(taken).toBe(1);
  });

  it('asks a resolver of its own, and what was refused is told', () => {
    expect(said.get('resolv')).toBe('nameserver 198.51.100.3');
    const address = (tried.get('address') ?? '').replace('/', ':');
    expect(refused).toContain(`${address}/tcp`);
  });

  it('publishes a port on loopback, once, and says who listens inside', async () => {
    const port = await listen('127.0.0.1');
    await expect(fixture.sandbox.ownNetwork?.publish(port, 'loopback')).rejects.toMatchObject({
      code: 'PORT_IN_USE',
    });
    expect(await fixture.sandbox.ownNetwork?.listeners(port)).toEqual([]);
  });
});

/** The rig as a program; resolves with what it printed. */
async function rig(command: readonly string[]) {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const told = z
    .object({ children: z.array(z.number()), answer: z.array(z.string()) })
    .parse(JSON.parse(String(line)));
  return { child, ...told };
}

/** A dead process whose parent has not looked yet counts as gone. */
const lives = (pid: number): boolean =>
  existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));

describe.skipIf(why !== undefined)(`a network of its own${unless}`, () => {
  it('is gone after kill -9 of its maker: nothing of it lives, and the machine is as it was', async () => {
    const seen = () =>
      ['link', 'addr', 'route'].map((what) => spawnSync('ip', ['-o', what]).stdout.toString());
    const before = seen().map((text) => text.split('\n').filter((line) => /tap0|198\.51\.100/.test(line)));
    const directory = join(mkdtempSync(join(tmpdir(), 'stager-egress-')), 'network');
    const { child, children } = await rig([process.execPath, RIG, directory]);
    expect(children.length).toBeGreaterThanOrEqual(2);
    child.kill('SIGKILL');
    await expect.poll(() => children.filter(lives), { timeout: 20_000 }).toEqual([]);
    const after = seen().map((text) => text.split('\n').filter((line) => /tap0|198\.51\.100/.test(line)));
    expect(after).toEqual(before);
    rmSync(join(directory, '..'), { recursive: true });
  }, 60_000);

  it("resolves names through the machine's resolver when that listens on loopback only", async () => {
    const home = mkdtempSync(join(tmpdir(), 'stager-egress-dns-'));
    const address = `127.77.${process.pid % 250}.${1 + (process.pid % 199)}`;
    const server = createSocket('udp4', (query, from) =>
      server.send(answerTo(query), from.port, from.address),
    );
    server.bind(53, address);
    await once(server, 'listening');
    writeFileSync(join(home, 'resolv.conf'), `nameserver ${address}\n`);
    const mounted = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
    const inside = [
      'sh',
      '-c',
      mounted,
      'rig',
      join(home, 'resolv.conf'),
      process.execPath,
      RIG,
      join(home, 'network'),
      'app.test',
    ];
    try {
      const { child, answer } = await rig(['unshare', '--mount', ...inside]);
      child.kill('SIGKILL');
      expect(answer).toEqual(['203.0.113.77']);
    } finally {
      server.close();
      rmSync(home, { recursive: true, force: true });
    }
  }, 60_000);
});

/** 203.0.113.77 for whatever is asked. */
function answerTo(query: Buffer): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(1, 6);
  head.writeUInt32BE(0, 8);
  const answer = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 77]);
  return Buffer.concat([head, answer]);
}
