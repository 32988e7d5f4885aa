/** The Cloud Native Buildpacks of a staging: acquired, put into an order, digested. */
import { join } from 'node:path';
import type { RegistryClient } from '../../stores/registry/client.ts';
import { isLocalHost } from '../../stores/registry/reference.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import { parseSha256 } from '../../words/ids.ts';
import type { BuildpackRecord } from '../../words/staging-record.ts';
import { formatCount } from '../../words/units.ts';
import { type Address, parseReference, referenceSecrets } from '../buildpack/contract/reference.ts';
import { type AcquiredCnb, acquireBuilder, acquireCnb, type CnbAcquire } from '../cnb/cnb-acquire.ts';
import type { CnbBuilder } from '../cnb/cnb-builder.ts';
import type { GroupEntry } from '../cnb/cnb-descriptor.ts';
import type { CnbDirectory } from '../cnb/cnb-directory.ts';
import { type FlatEntry, flatGroups } from '../cnb/cnb-order.ts';
import { CNB_REGISTRY } from '../cnb/cnb-registry.ts';
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
    () =>
      acquire(staging, {
        ...parts,
        download: downloader(staging, parts.client),
        registryIndex: registryIndex(staging, join(parts.temp, 'registry-index')),
        signal: staging.signal,
      }),
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
        next: 'Give -b DIRECTORY|FILE.cnb|FILE.tgz|URL|docker://IMAGE|urn:cnb:registry:NAME, or --builder IMAGE.',
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
function downloader(staging: Staging, client: RegistryClient): CnbAcquire['download'] {
  return async (url) => {
    const reference = parseReference(url, { cwd: '/' });
    staging.secrets.push(...referenceSecrets(reference));
    if (reference.kind === 'url') {
      const { signal, report } = staging;
      const given = await givenFor(reference.address, client);
      staging.secrets.push(...given.secrets);
      const request = given.authorization === undefined ? reference : { ...reference, ...given };
      return await staging.ports.buildpacks.fetcher.download(request, { signal, report });
    }
    throw new StagerError('USAGE', `${redactUrls(url)} is not the URL of a .cnb or .tgz file`, {
      next: 'Cloud Native Buildpacks can be fetched as archives; clone a repository, and give its directory.',
    });
  };
}

/** As on Cloud Foundry, what is given for a host is for its archives as well; not in the clear, though. */
async function givenFor(
  { url, credentials }: Address,
  client: RegistryClient,
): Promise<{ readonly authorization?: string; readonly secrets: readonly string[] }> {
  const { protocol, host } = new URL(url);
  if (credentials !== undefined || (protocol !== 'https:' && !isLocalHost(host))) return { secrets: [] };
  const given = await client.givenFor(host);
  if (given === undefined) return { secrets: [] };
  if (given.kind !== 'basic') return { authorization: `Bearer ${given.token}`, secrets: [given.token] };
  const text = Buffer.from(`${given.username}:${given.password}`).toString('base64');
  return { authorization: `Basic ${text}`, secrets: [given.password, text] };
}

/** A directory, or a repository that is cloned once a staging. */
function registryIndex(staging: Staging, to: string): CnbAcquire['registryIndex'] {
  let cloned: Promise<string> | undefined;
  return async () => {
    const address = staging.request.cnbRegistry ?? CNB_REGISTRY;
    const reference = parseReference(address, { cwd: process.cwd() });
    if (reference.kind === 'directory') return reference.path;
    if (reference.kind === 'git') {
      staging.secrets.push(...referenceSecrets(reference));
      const { fetcher } = staging.ports.buildpacks;
      cloned ??= fetcher.clone(reference, to, staging.signal).then(() => to, notReached);
      return await cloned;
    }
    throw new StagerError('USAGE', `${redactUrls(address)} can't be the index of a Buildpack Registry`, {
      next: 'Give the URL of a git repository, or a directory, with --cnb-registry.',
    });
  };
}

function notReached(error: unknown): never {
  if (!isStagerError(error, 'BUILDPACK_DOWNLOAD_FAILED')) throw error;
  throw new StagerError(
    'BUILDPACK_DOWNLOAD_FAILED',
    `the index of the Buildpack Registry: ${error.message}`,
    {
      next: 'Name a copy of the index with --cnb-registry, or give the image itself: docker://IMAGE@sha256:….',
      cause: error,
    },
  );
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
