/**
 * Stagings with networks of their own, through the real command: several at once, through a proxy and a mirror of this
 * machine, as root and as an ordinary user.
 */
import { chownSync, mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { findTools } from '../../src/machine/network/tools.ts';
import { isRoot, unlessRoot } from '../support/as-root.ts';
import { Cli, stageArgs } from '../support/cli.ts';
import { httpProxy } from '../support/http-proxy.ts';

const NOBODY = 65_534;
const AT_ONCE = 4;

/**
 * For one command and its children, `nobody` gets what laptops give to a user: subordinate ids and a /dev/net/tun for all.
 * Nothing of the machine is changed.
 */
const AS_USER = `exec unshare --mount sh -ec '
mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200
mount -t tmpfs none /mnt && echo nobody:200000:65536 >/mnt/ids
mount --bind /mnt/ids /etc/subuid && mount --bind /mnt/ids /etc/subgid
exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups "$0" "$@"' "$0" "$@"`;

const tools = await findTools();
const why = isRoot && 'why' in tools ? ` (not run: ${tools.why})` : unlessRoot;

const servers: Server[] = [];
const asked: string[] = [];
let [web, mirror, proxy] = [0, 0, 0];

async function listen(server: Server, host: string): Promise<number> {
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, host, listening));
  return z.object({ port: z.number() }).parse(server.address()).port;
}

/** An address of this machine that is not its loopback. */
const address = Object.values(networkInterfaces())
  .flatMap((it) => it ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

beforeAll(async () => {
  const answers = (text: string) => createServer((_, response) => response.end(`${text}\n`));
  web = await listen(answers('web'), '0.0.0.0');
  mirror = await listen(answers('mirror'), '127.0.0.1');
  proxy = await listen(
    httpProxy((line) => asked.push(line)),
    '127.0.0.1',
  );
});

afterAll(() => {
  for (const server of servers) server.close();
});

describe.skipIf(why !== '').each([
  { who: 'root', options: {} },
  { who: 'an ordinary user', options: { shell: AS_USER } },
])(`stagings of $who with networks of their own${why}`, ({ options }) => {
  let cli: Cli;
  let app: string;

  beforeAll(async () => {
    cli = await Cli.make();
    app = await cli.app('app');
    mkdirSync(join(cli.dir, 'cache'));
    if ('shell' in options)
      for (const path of [cli.dir, cli.home, join(cli.dir, 'cache')]) chownSync(path, NOBODY, NOBODY);
  });

  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });

  it('reach what the operator names and nothing else of the machine, several at once, by default', async () => {
    const directly = "curl -sS --noproxy '*' --max-time 20";
    const script = [
      `echo "proxy says $(curl -sS --max-time 20 http://answers.test:${web}/)"`,
      `echo "mirror says $(${directly} http://127.0.0.1:${mirror}/)"`,
      `${directly} http://127.0.0.1:${web}/ 2>&1 && echo reached || echo "no loopback"`,
      `${directly} http://${address ?? '10.0.0.1'}:${web}/ 2>&1 && echo reached || echo "no address"`,
    ].join('\n');
    const env = {
      HTTP_PROXY: `http://127.0.0.1:${proxy}`,
      npm_config_registry: `http://127.0.0.1:${mirror}`,
    };
    const ended = await Promise.all(
      Array.from({ length: AT_ONCE }, () => cli.stage(app, { SUPPLY: script }, [], { ...options, env })),
    );
    for (const { code, stdout, stderr } of ended) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('--network host') });
      for (const line of ['proxy says web', 'mirror says mirror', 'no loopback', 'no address'])
        expect(stdout).toContain(line);
      expect(stdout).not.toContain('reached');
    }
    expect(asked).toHaveLength(AT_ONCE);
    asked.length = 0;
    expect(await cli.leftovers()).toEqual([]);
  });

  it('that fail say what was refused, and which variable names the loopback interface', async () => {
    const place = `${address ?? '10.0.0.1'}:${web}`;
    const told = {
      SUPPLY: `curl -sS --max-time 20 http://${place}/; exit 7`,
      REGISTRY: `http://127.0.0.1:${mirror}`,
    };
    const { code, stderr } = await cli.run(stageArgs(app, told), options);
    expect({ code, stderr }).toEqual({ code: 223, stderr: expect.stringContaining(`refused ${place}/tcp`) });
    expect(stderr).toContain(`REGISTRY names 127.0.0.1:${mirror} (--allow-host 127.0.0.1:${mirror})`);
  });
});
