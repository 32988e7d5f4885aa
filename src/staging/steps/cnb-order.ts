/** The Cloud Native Buildpacks of a staging: acquired, put into an order, digested. */
import type { RegistryClient } from '../../stores/registry/client.ts';
import { StagerError } from '../../words/errors.ts';
import { parseSha256 } from '../../words/ids.ts';
import type { BuildpackRecord } from '../../words/staging-record.ts';
import { formatCount } from '../../words/units.ts';
import { parseReference, referenceSecrets } from '../buildpack/contract/reference.ts';
import { type AcquiredCnb, acquireBuilder, acquireCnb, type CnbAcquire } from '../cnb/cnb-acquire.ts';
import type { CnbBuilder } from '../cnb/cnb-builder.ts';
import type { GroupEntry } from '../cnb/cnb-descriptor.ts';
import type { CnbDirectory } from '../cnb/cnb-directory.ts';
import { type FlatEntry, flatGroups } from '../cnb/cnb-order.ts';
import { fingerprintTree } from '../droplet/pack/tree-fingerprint.ts';
import { redactUrls } from '../logs/redact.ts';
import type { Staging } from './staging.ts';

/** What a staging may use, and in which order. */
export interface CnbOrder {
  readonly order: readonly (readonly GroupEntry[])[];
  readonly all: readonly CnbDirectory[];
  /** What was named, each with its digest. */
  readonly sources: readonly { readonly key: string; readonly digest: string }[];
  /** Of a builder that names one. */
  readonly stackId?: string;
}

/**
 * Brings the buildpacks that were asked for: those that are named, as one group, or all groups of the builder.
 *
 * @throws StagerError USAGE when nothing was named, and those of {@link acquireCnb}.
 */
export async function acquireCnbs(
  staging: Staging,
  parts: { readonly temp: string; readonly client: RegistryClient },
): Promise<CnbOrder> {
  return await staging.phases.run(
    { name: 'buildpacks' },
    () => acquire(staging, { ...parts, download: downloader(staging), signal: staging.signal }),
    ({ all }) => formatCount(all.length, 'buildpack'),
  );
}

async function acquire(staging: Staging, parts: CnbAcquire): Promise<CnbOrder> {
  const { buildpacks, builder: named } = staging.request;
  const builder = named === undefined ? undefined : await acquireBuilder(named, parts);
  if (builder !== undefined) tellOf(builder, staging);
  if (buildpacks.length === 0) {
    if (builder === undefined)
      throw new StagerError('USAGE', 'no Cloud Native Buildpack was named', {
        next: 'Give -b DIRECTORY|FILE.cnb|FILE.tgz|URL|docker://IMAGE, or --builder IMAGE.',
      });
    const { order, all, digest, stackId } = builder;
    return {
      order,
      all,
      sources: [{ key: builder.name, digest }],
      ...(stackId !== undefined && { stackId }),
    };
  }
  const acquired: AcquiredCnb[] = [];
  for (const [index, reference] of buildpacks.entries())
    acquired.push(
      await acquireCnb(reference, index, { ...parts, ...(builder !== undefined && { builder }) }),
    );
  const sources: { key: string; digest: string }[] = [];
  for (const { main, digest } of acquired)
    sources.push({ key: nameOf(main), digest: digest ?? (await treeDigest(main, parts.signal)) });
  const group = acquired.map(({ main: { descriptor } }) => ({
    id: descriptor.id,
    version: descriptor.version,
    optional: false,
  }));
  const all = [...new Set(acquired.flatMap((it) => it.all))];
  const stackId = builder?.stackId;
  return { order: [group], all, sources, ...(stackId !== undefined && { stackId }) };
}

function tellOf({ name, runImage, hasExtensions }: CnbBuilder, staging: Staging): void {
  const { stack } = staging.request;
  const run = runImage === undefined ? '' : `, and what it builds for ${runImage} runs on the stack`;
  staging.warn('builder', `scripts of the builder ${name} run on the stack ${stack}, not in its image${run}`);
  if (hasExtensions)
    staging.warn(
      'builder',
      `the image extensions of ${name} are left out: they need Dockerfiles, which can't be run here`,
    );
}

/** Archives go through the download cache of all buildpacks. */
function downloader(staging: Staging): CnbAcquire['download'] {
  return async (url) => {
    const reference = parseReference(url, { cwd: '/' });
    staging.secrets.push(...referenceSecrets(reference));
    if (reference.kind === 'url') {
      const { signal, report } = staging;
      return await staging.ports.buildpacks.fetcher.download(reference, { signal, report });
    }
    throw new StagerError('USAGE', `${redactUrls(url)} is not the URL of a .cnb or .tgz file`, {
      next: 'Cloud Native Buildpacks can be fetched as archives; clone a repository, and give its directory.',
    });
  };
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
export const cnbOrderFacts = ({ order, sources }: CnbOrder) => ({
  mode: `cnb ${JSON.stringify(order)}`,
  order: sources.map((source) => ({ ...source, family: 'cnb' })),
});

/** The buildpacks that built, for the record. */
export async function cnbRecords(
  used: readonly CnbDirectory[],
  signal: AbortSignal,
): Promise<readonly BuildpackRecord[]> {
  const records: BuildpackRecord[] = [];
  for (const buildpack of used) {
    const { id, name, version } = buildpack.descriptor;
    const sha256 = parseSha256(await treeDigest(buildpack, signal));
    if (sha256 === undefined) throw new Error(`${id}@${version} has no digest`);
    records.push({ key: id, name, version, sha256, family: 'cnb' });
  }
  return records;
}

const nameOf = ({ descriptor: { id, version } }: CnbDirectory): string => `${id}@${version}`;

const treeDigest = ({ root }: CnbDirectory, signal: AbortSignal): Promise<string> =>
  fingerprintTree([{ kind: 'tree', hostPath: root, archivePath: '.' }], { signal });
