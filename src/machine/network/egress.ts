/**
 * A network namespace with a filtered way out.
 *
 * A small process holds the namespace and loads the filter into it; slirp4netns, outside, is what its only interface
 * leads to: a TCP/IP stack in user space, which makes the connections as an ordinary program of the machine. So
 * nothing of the machine is changed: no forwarding, no rules, no interface. Both processes end with a pipe of ours, that
 * is with this process, however it ends, and the namespace with them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { type FileHandle, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { StagerError } from '../../words/errors.ts';
import type { OwnNetwork } from '../sandbox/port/network.ts';
import { CIDR, INTERFACE } from './addresses.ts';
import { addressesOf, type HostPort } from './allowed.ts';
import { filterText, isLoopback } from './filter.ts';
import { listenersOf, withIpv4 } from './listeners.ts';
import { publishPort, SOCKET } from './publish.ts';
import { refusedIn } from './refused.ts';
import type { EgressRule } from './rules.ts';
import type { NetworkTools } from './tools.ts';

/** What may leave a network. */
export interface EgressPolicy {
  readonly rules: readonly EgressRule[];
  readonly allowed: readonly HostPort[];
}

/** How a network is made. */
export interface EgressOptions {
  readonly tools: NetworkTools;
  readonly policy: EgressPolicy;
  /** A directory that is made for it, and removed with it. */
  readonly directory: string;
  /** As an ordinary user: gives the process, which waits for it on descriptor 3, the ids of its user namespace. */
  readonly mapIds?: (child: ChildProcess) => Promise<void>;
}

/** How a process gets into it: paths of our own descriptors, since a pid could be another's by the time it is used. */
export interface Entrance {
  readonly net: string;
  /** The user namespace that owns it, which has to be entered as well. */
  readonly user?: string;
}

/** What holds a network. */
interface Parts {
  readonly holder: ChildProcess;
  readonly slirp: ChildProcess;
  readonly net: FileHandle;
  readonly user: FileHandle | undefined;
}

/** It takes a twentieth of a second; a busy machine may need its time. */
const LIMIT_MS = 20_000;
/** The largest that slirp4netns takes: a packet costs the same whatever its size. */
const MTU = 65_520;
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } as const;
const NAME = 'stager-network';

/** Waits on descriptor 3 for the ids of its user namespace, as a guard does. */
const WAIT_FOR_IDS = 'echo ready >&3; read -r go <&3 && [ "$go" = go ] && exec "$@" 3<&-';
/** $1 nft, $2 its rules, $3 whether the loopback address is forwarded. Lives as long as its standard input does. */
const HOLD = `echo made; "$1" -f "$2" || exit 1
[ "$3" = no ] || echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet || exit 1
echo ready; exec 1>&- 2>&-; read -r gone`;

/** See the top of the file. */
export class EgressNetwork implements OwnNetwork, AsyncDisposable {
  readonly entrance: Entrance;
  readonly #options: EgressOptions;
  readonly #parts: Parts;

  private constructor(options: EgressOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    const at = ({ fd }: FileHandle): string => `/proc/${process.pid}/fd/${fd}`;
    this.entrance = { net: at(parts.net), ...(parts.user !== undefined && { user: at(parts.user) }) };
  }

  /** @throws StagerError SANDBOX_FAILED with what the programs said. */
  static async open(options: EgressOptions): Promise<EgressNetwork> {
    const { policy, directory } = options;
    const allowed = await addressesOf(policy.allowed);
    const forwards = allowed.some(({ address }) => isLoopback(address));
    await mkdir(directory, { mode: 0o700 });
    const rules = join(directory, 'rules.nft');
    await writeFile(rules, filterText({ ...policy, allowed, machine: ownAddresses() }), { mode: 0o600 });
    const started: ChildProcess[] = [];
    try {
      const holder = startHolder(options, { rules, forwards });
      started.push(holder);
      await options.mapIds?.(holder);
      const word = wordsOf(holder, 'the namespace');
      await word('made');
      const slirp = startSlirp(options, { holder, forwards });
      started.push(slirp);
      await Promise.all([word('ready'), wordsOf(slirp, 'slirp4netns', slirp.stdio[4])('1')]);
      const net = await open(spaceOf(holder, 'net'));
      const user = options.mapIds === undefined ? undefined : await open(spaceOf(holder, 'user'));
      return new EgressNetwork(options, { holder, slirp, net, user });
    } catch (error) {
      await endAll(started, directory);
      throw error;
    }
  }

  async publish(port: number, where: 'loopback' | 'everywhere'): Promise<void> {
    await publishPort(this.#options.directory, port, where === 'loopback' ? '127.0.0.1' : '0.0.0.0');
  }

  async listeners(port: number): Promise<readonly string[]> {
    const found = await listenersOf(this.#parts.holder.pid ?? 0, port);
    return await withIpv4(found, this.#enter(), port);
  }

  async refused(): Promise<readonly string[]> {
    return await refusedIn(this.#enter(), this.#options.tools.nft);
  }

  async end(): Promise<void> {
    const { holder, slirp, net, user } = this.#parts;
    await Promise.all([net.close(), user?.close()]);
    await endAll([slirp, holder], this.#options.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /** Command line that puts what follows into the network. */
  #enter(): readonly [string, ...string[]] {
    const { net, user } = this.entrance;
    const owner = user === undefined ? [] : ['--preserve-credentials', `--user=${user}`];
    return [this.#options.tools.nsenter, ...owner, `--net=${net}`, '--'];
  }
}

function startHolder(
  { tools, mapIds }: EgressOptions,
  { rules, forwards }: { readonly rules: string; readonly forwards: boolean },
): ChildProcess {
  const hold = ['--net', '/bin/sh', '-c', HOLD, NAME, tools.nft, rules, forwards ? 'yes' : 'no'];
  const waiting = ['--user', '/bin/sh', '-c', WAIT_FOR_IDS, NAME, tools.unshare];
  return spawn(tools.unshare, mapIds === undefined ? hold : [...waiting, ...hold], {
    stdio: ['pipe', 'pipe', 'pipe', mapIds === undefined ? 'ignore' : 'pipe'],
    // A session of its own: Ctrl-C is for us, and the network lasts until those who use it have ended.
    detached: true,
    cwd: '/',
    env: ENVIRONMENT,
  });
}

function startSlirp(
  { tools, directory, mapIds }: EgressOptions,
  { holder, forwards }: { readonly holder: ChildProcess; readonly forwards: boolean },
): ChildProcess {
  const args = [
    ...['--configure', `--mtu=${MTU}`, `--cidr=${CIDR}`, '--enable-sandbox', '--enable-seccomp'],
    ...(forwards ? [] : ['--disable-host-loopback']),
    ...[`--api-socket=${SOCKET}`, '--exit-fd=3', '--ready-fd=4', '--netns-type=path'],
    ...[spaceOf(holder, 'net'), INTERFACE],
  ];
  // In the namespace that owns the network it is root enough to shut itself in.
  const enter = [tools.nsenter, '--preserve-credentials', `--user=${spaceOf(holder, 'user')}`, '--'];
  const [program = '', ...rest] = [...(mapIds === undefined ? [] : enter), tools.slirp4netns, ...args];
  return spawn(program, rest, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
    cwd: directory,
    env: ENVIRONMENT,
  });
}

const spaceOf = ({ pid }: ChildProcess, name: 'net' | 'user'): string => `/proc/${pid}/ns/${name}`;

/**
 * Waits for words of a program on one of its pipes.
 *
 * @throws StagerError SANDBOX_FAILED when it ends before, or says nothing in time.
 */
function wordsOf(
  child: ChildProcess,
  what: string,
  from: unknown = child.stdout,
): (word: string) => Promise<void> {
  let heard = '';
  let said = '';
  let look = (): void => undefined;
  if (!(from instanceof Readable)) throw new Error('unreachable: the program was started without its pipe');
  from.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1');
    look();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString('utf8')}`.slice(-2_000);
  });
  return async (word) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const failed = (how: string): void => reject(notMade(`${what} ${how}`, said));
    const timer = setTimeout(() => failed(`was not ready in ${LIMIT_MS / 1000} s`), LIMIT_MS);
    look = (): void => {
      if (heard.includes(word)) resolve();
    };
    child.once('error', (error) => failed(`could not be started: ${error.message}`));
    child.once('close', () => failed('ended at once'));
    look();
    await promise.finally(() => clearTimeout(timer));
  };
}

async function endAll(children: readonly ChildProcess[], directory: string): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }),
  );
  await rm(directory, { recursive: true, force: true });
}

function ownAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((it) => it ?? []);
  return [...new Set(all.filter(({ family }) => family === 'IPv4').map(({ address }) => address))];
}

function notMade(how: string, said: string): StagerError {
  const reason = said.trim().replaceAll(/\s*\n\s*/g, '; ');
  return new StagerError(
    'SANDBOX_FAILED',
    `a private network could not be created: ${how}${reason === '' ? '' : ` (${reason})`}`,
    { next: "Run `stager doctor`, or choose --network host, which shares the machine's." },
  );
}
