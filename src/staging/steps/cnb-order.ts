/** The Cloud Native Buildpacks of a staging: acquired, put into an order, digested. */
import { parseSha256 } from '../../words/ids.ts';
import type { BuildpackRecord } from '../../words/staging-record.ts';
import { formatCount } from '../../words/units.ts';
import { type AcquiredCnb, acquireCnb, type CnbAcquire, type CnbDirectory } from '../cnb/cnb-acquire.ts';
import type { GroupEntry } from '../cnb/cnb-descriptor.ts';
import { type FlatEntry, flatGroups } from '../cnb/cnb-order.ts';
import { fingerprintTree } from '../droplet/pack/tree-fingerprint.ts';
import type { Staging } from './staging.ts';

/** What a staging may use, and in which order. */
export interface CnbOrder {
  readonly order: readonly (readonly GroupEntry[])[];
  readonly all: readonly CnbDirectory[];
  /** Of each buildpack's tree. */
  readonly digests: ReadonlyMap<CnbDirectory, string>;
}

/** Brings the buildpacks that were asked for. */
export async function acquireCnbs(staging: Staging, parts: CnbAcquire): Promise<CnbOrder> {
  const acquire = async (): Promise<readonly AcquiredCnb[]> => {
    const list: AcquiredCnb[] = [];
    for (const [index, reference] of staging.request.buildpacks.entries())
      list.push(await acquireCnb(reference, index, parts));
    return list;
  };
  const acquired = await staging.phases.run({ name: 'buildpacks' }, acquire, (list) =>
    formatCount(list.length, 'buildpack'),
  );
  const all = acquired.flatMap((it) => it.all);
  const group = acquired.map(({ main: { descriptor } }) => ({
    id: descriptor.id,
    version: descriptor.version,
    optional: false,
  }));
  const digests = new Map<CnbDirectory, string>();
  for (const buildpack of all) {
    const roots = [{ kind: 'tree', hostPath: buildpack.root, archivePath: '.' }] as const;
    digests.set(buildpack, await fingerprintTree(roots, { signal: parts.signal }));
  }
  return { order: [group], all, digests };
}

/** The groups that detect tries. */
export const cnbGroups = ({ order, all }: CnbOrder): Iterable<readonly FlatEntry[]> =>
  flatGroups(order, (id, version) => find(all, id, version)?.descriptor);

/** The buildpack of an entry. */
export function cnbDirectoryOf({ all }: CnbOrder, { descriptor }: FlatEntry): CnbDirectory {
  const found = find(all, descriptor.id, descriptor.version);
  if (found === undefined) throw new Error(`${descriptor.id}@${descriptor.version} was there a moment ago`);
  return found;
}

function find(all: readonly CnbDirectory[], id: string, version: string): CnbDirectory | undefined {
  return all.find(
    ({ descriptor }) => descriptor.id === id && (version === '' || descriptor.version === version),
  );
}

/** What of an order decides what it makes. */
export const cnbOrderFacts = ({ order, all, digests }: CnbOrder) => ({
  mode: `cnb ${JSON.stringify(order)}`,
  order: all.map((buildpack) => ({
    key: `${buildpack.descriptor.id}@${buildpack.descriptor.version}`,
    digest: digests.get(buildpack) ?? '',
    family: 'cnb',
  })),
});

/** The buildpacks that built, for the record. */
export function cnbRecords({ digests }: CnbOrder, used: readonly CnbDirectory[]): readonly BuildpackRecord[] {
  return used.map((buildpack) => {
    const { id, name, version } = buildpack.descriptor;
    const sha256 = parseSha256(digests.get(buildpack) ?? '');
    if (sha256 === undefined) throw new Error(`${id}@${version} has no digest`);
    return { key: id, name, version, sha256, family: 'cnb' };
  });
}
