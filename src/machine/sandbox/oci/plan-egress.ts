/** Finds out whether containers can have private networks with access to the outside here. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { bootId } from '../../host/process-identity.ts';
import type { EgressPolicy } from '../../network/egress.ts';
import { findTools, type NetworkTools } from '../../network/tools.ts';
import type { EgressWish } from '../../network/wish.ts';
import { type EgressMeans, sessionNetwork } from './networks.ts';
import type { OciOptions } from './oci.ts';
import type { ProbeMemory } from './probe.ts';

/** The means, or why there are none; that it works is remembered until the next boot. */
export async function planEgress(
  oci: Pick<OciOptions, 'runtime' | 'ids' | 'guard' | 'stateDir'>,
  memory: ProbeMemory,
  { policies, strict }: EgressWish,
): Promise<EgressMeans> {
  const not = (why: string, next: string): EgressMeans => ({
    policies,
    state: { had: false, why, next, strict },
  });
  const { runtime, ids, guard } = oci;
  if (runtime.name === 'runsc')
    return not('gVisor has a network of its own', 'Use runc or crun (--runtime).');
  const isRoot = process.getuid?.() === 0;
  if (guard === undefined || (!isRoot && ids.around === undefined)) {
    return not('the container is not in a guard that could enter one', 'See `stager doctor`.');
  }
  const tools = await findTools();
  if ('why' in tools) return not(tools.why, tools.next);
  const allowed = policies.staging.allowed.map(({ host, port }) => `${host}:${port}`);
  const state = { had: true, description: describe(tools), allowed } as const;
  const means: EgressMeans = { policies, tools, state };
  const key = `${bootId()}:egress:${ids.kind}:${await versionOf(tools)}`;
  const known = await memory.recall(key);
  const why = known ?? (await tryOnce(means, oci));
  // A failure may be past the next time (a busy machine), and most come at once.
  if (known === undefined && why === '') await memory.remember(key, why);
  return why === '' ? means : not(why, 'See docs/network.md, or use --verbose.');
}

/** `''`: it works. */
async function tryOnce(
  means: EgressMeans,
  { stateDir, ids }: Pick<OciOptions, 'stateDir' | 'ids'>,
): Promise<string> {
  const home = join(stateDir, `egress-probe-${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(home, { mode: 0o700 });
  // Other rules than those that are given: what is remembered holds for all.
  const policy: EgressPolicy = { rules: [], allowed: [{ host: '127.0.0.1', port: 1 }] };
  const probing = { ...means, policies: { staging: policy, running: policy } };
  try {
    await using network = sessionNetwork(probing, 'staging', { home, ids });
    await network.entrance();
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function describe({ slirp4netns, nft }: NetworkTools): string {
  return `a namespace with ${slirp4netns} as its way out, filtered by ${nft}; IPv4 only`;
}

/** Changes with the programs. */
async function versionOf({ slirp4netns, nft }: NetworkTools): Promise<string> {
  const facts = await Promise.all([slirp4netns, nft].map((path) => stat(path)));
  return facts.map(({ size, mtimeMs }) => `${size}-${mtimeMs}`).join('-');
}
