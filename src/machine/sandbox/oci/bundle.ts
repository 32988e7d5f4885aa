/** The bundle of one container: its root file system and the runtime's config.json. */
import { readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RESOLVER } from '../../network/addresses.ts';
import type { Entrance } from '../../network/egress.ts';
import { writeExact } from '../child/files.ts';
import type { Backing } from '../kernel/disk-watch.ts';
import type { Grants } from '../kernel/grants.ts';
import type { IdPlan } from '../kernel/ids.ts';
import { hasMountsBelow, parseMountInfo } from '../kernel/mountinfo.ts';
import { readOrNothing } from '../kernel/processes.ts';
import type { NetworkKind } from '../port/network.ts';
import type { Mount, SandboxSpec } from '../port/sandbox.ts';
import { ENTERED, ociConfig } from './config.ts';
import { keptEtc } from './kept-etc.ts';
import { coveredBy, type MountPoint, pointFor } from './mount-points.ts';
import type { OciOptions } from './oci.ts';
import { type ComposedRoot, composeRoot } from './root.ts';

/** What a bundle is made with, the same for all of one process. */
export interface BundleParts {
  readonly options: Pick<OciOptions, 'cgroups' | 'guard' | 'stateDir'>;
  /** Ids inside. */
  readonly user: IdPlan['user'];
  /** Directory of this process. */
  readonly home: string;
  readonly grants: Grants;
}

/** The machine's resolvers, or who asks them for a network of its own. */
async function resolvConfOf(network: NetworkKind): Promise<string> {
  const known = network === 'none' ? '' : ((await readOrNothing('/etc/resolv.conf')) ?? '');
  if (network !== 'egress') return known;
  const others = known.split('\n').filter((line) => /^\s*(search|domain|options)\b/.test(line));
  return [`nameserver ${RESOLVER}`, ...others, ''].join('\n');
}

/** Makes bundles; what they share is made once. */
export class OciBundles {
  readonly #parts: BundleParts;
  readonly #etc = new Map<string, Promise<string>>();

  constructor(parts: BundleParts) {
    this.#parts = parts;
  }

  /** Makes `root` in the bundle's directory. */
  async compose(bundle: string, spec: SandboxSpec): Promise<ComposedRoot> {
    const hosts = join(bundle, 'hosts');
    const resolv = join(bundle, 'resolv.conf');
    const hostname = join(bundle, 'hostname');
    const name = spec.hostname ?? 'stager';
    const shared = spec.network !== 'none';
    const known = shared
      ? ((await readOrNothing('/etc/hosts')) ?? '')
      : '127.0.0.1 localhost\n::1 localhost\n';
    await writeExact(hosts, `${known.trimEnd()}\n127.0.1.1 ${name}\n`, 0o644);
    await writeExact(resolv, await resolvConfOf(spec.network), 0o644);
    await writeExact(hostname, `${name}\n`, 0o644);
    const etcFiles = { hosts, 'resolv.conf': resolv, hostname };
    return await composeRoot(join(bundle, 'root'), {
      spec,
      etc: await this.#etcOf(spec, etcFiles),
      etcFiles,
    });
  }

  /** Looked for once a process, stack and set of mounts. */
  async #etcOf({ rootfs, mounts }: SandboxSpec, files: Readonly<Record<string, string>>): Promise<string> {
    const root = rootfs.kind === 'host' ? '/' : rootfs.path;
    const points = await pointsInEtc(mounts, files);
    const key = JSON.stringify([root, points]);
    const known = this.#etc.get(key);
    if (known !== undefined) return await known;
    const { home, options, user } = this.#parts;
    const wish = { root, allowListOnly: rootfs.kind === 'host', user, points };
    const made = keptEtc(wish, { stateDir: options.stateDir, home });
    this.#etc.set(key, made);
    return await made;
  }

  /** Writes config.json. */
  async writeConfig(
    id: string,
    {
      bundle,
      spec,
      root,
      network,
      ids,
      backing,
    }: {
      ids: IdPlan;
      backing: Backing | undefined;
      bundle: string;
      spec: SandboxSpec;
      root: ComposedRoot;
      network: Entrance | undefined;
    },
  ): Promise<void> {
    const { options, grants } = this.#parts;
    const mounts = parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
    const recursive = new Set<string>();
    for (const { source, target, writable } of root.binds) {
      if (!writable && hasMountsBelow(await realpath(source), mounts)) recursive.add(target);
    }
    const config = ociConfig(spec, {
      id,
      ids,
      cgroups: options.cgroups,
      rootPath: 'root',
      binds: root.binds,
      hasTmp: root.hasTmp,
      recursive,
      ...(network === undefined ? {} : { network: options.guard === undefined ? network.net : ENTERED }),
      terminal: spec.stdin === 'terminal',
      bounded: backing !== undefined,
      grants,
      arch: process.arch,
    });
    await writeFile(join(bundle, 'config.json'), JSON.stringify(config), { mode: 0o600 });
  }
}

/** What of `mounts` is mounted over an entry of our /etc itself. */
async function pointsInEtc(
  mounts: readonly Mount[],
  files: Readonly<Record<string, string>>,
): Promise<readonly MountPoint[]> {
  const binds: Mount[] = [{ source: '', target: '/etc', writable: false }];
  for (const [name, source] of Object.entries(files))
    binds.push({ source, target: `/etc/${name}`, writable: false });
  const points: MountPoint[] = [];
  for (const mount of mounts) {
    if (coveredBy(mount.target, binds)?.target === '/etc') points.push(await pointFor(mount, '/etc'));
    binds.push(mount);
  }
  return points;
}
