/** The record at the end of a staging, and the earlier one that `--reuse` may return instead. */
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BlobKey, BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { sha256OfBytes } from '../../words/digest.ts';
import { isStagerError } from '../../words/errors.ts';
import type { Guid, Sha256 } from '../../words/ids.ts';
import type { StagingRecord, StoredBlob } from '../../words/staging-record.ts';
import { formatCompression } from '../droplet/pack/compression.ts';
import { dropletKey, writeBlobTo } from '../droplet/store.ts';
import { splitBlobAddress } from '../launch/locate.ts';
import { encodeSorted } from '../vcap/application.ts';
import type { PackagedApp } from './app.ts';
import type { Staging, StagingStack } from './staging.ts';

/** What goes into a record beside what the staging knows of itself. */
export interface RecordParts {
  readonly package: Guid;
  readonly built: Pick<StagingRecord, 'buildpacks' | 'result'>;
  readonly dependencies?: StagingRecord['dependencies'];
  readonly droplet: StoredBlob & { readonly guid: Guid };
  readonly buildCache: StoredBlob | undefined;
  readonly reuseKey: Sha256 | undefined;
}

/** The record of a staging that worked. */
export function recordOf(staging: Staging, parts: RecordParts): StagingRecord {
  const { request } = staging;
  return {
    ...staging.facts(),
    package: parts.package,
    buildpacks: parts.built.buildpacks,
    ...(parts.dependencies !== undefined && { dependencies: parts.dependencies }),
    droplet: parts.droplet,
    ...(parts.buildCache !== undefined && { buildCache: parts.buildCache }),
    ...(parts.reuseKey !== undefined && { reuseKey: parts.reuseKey }),
    ...(request.launch !== undefined && { launch: request.launch }),
    reused: false,
    peaks: staging.peaks,
    warnings: staging.warnings,
    result: parts.built.result,
  };
}

/** What of an order decides what it makes. */
interface OrderFacts {
  readonly mode: string;
  readonly order: readonly { readonly key: string; readonly digest: string; readonly family: string }[];
}

/**
 * Digest of everything that a staging's droplet follows from, except the network (docs/reuse.md): the app's
 * entries with their content, buildpacks, stack, variables, services and options. Every record has it, so that a
 * later `--reuse` finds stagings that were made without.
 */
export function reuseKeyOf(
  staging: Staging,
  input: { readonly app: PackagedApp; readonly stack: StagingStack; readonly buildpacks: OrderFacts },
): Sha256 | undefined {
  const { request, ports } = staging;
  const text = encodeSorted({
    version: 1,
    source: input.app.digest,
    app: request.app,
    mode: input.buildpacks.mode,
    buildpacks: input.buildpacks.order.map(({ key, digest, family }) => ({ key, digest, family })),
    stack: { name: input.stack.name, digest: input.stack.digest },
    sandbox: ports.sandbox.kind,
    env: request.env,
    services: request.services,
    memoryMb: request.memoryMb,
    diskMb: request.diskMb,
    cfStack: request.cfStack ?? null,
    buildpackApi: request.buildpackApi ?? null,
    // A way out is a way out, filtered or not.
    network: request.network === 'none' ? 'none' : 'host',
    compression: request.compression === undefined ? 'default' : formatCompression(request.compression),
    sourceDateEpoch: request.sourceDateEpoch ?? null,
    launch: request.launch ?? null,
  });
  return sha256OfBytes(text);
}

/**
 * With `--reuse`, the record of the newest earlier staging with the same key whose droplet is still stored, byte by
 * byte as it was stored then. It is written to `--output` as any droplet is.
 */
export async function reusable(
  staging: Staging,
  key: Sha256 | undefined,
): Promise<StagingRecord | undefined> {
  const { request, ports, signal } = staging;
  const { blobs, records } = ports;
  if (key === undefined || !request.reuse) return undefined;
  const earlier = await records.find(async ({ reuseKey, droplet, build }) => {
    const blob = reuseKey === key ? splitBlobAddress(droplet.location)?.key : undefined;
    if (blob === undefined || blobs.location(blob) !== droplet.location) return false;
    const why = await unlike(droplet, blob, { blobs, signal });
    if (why === 'intact') return true;
    if (why === 'gone') return false;
    staging.replaced.push(blob);
    staging.warn(
      'droplet-not-reused',
      `the droplet of build ${build} is not reused, and the app is staged again: ${why}`,
    );
    return false;
  });
  if (earlier === undefined) return undefined;
  if (request.output !== undefined) {
    await writeBlobTo(request.output, dropletKey(request.app.guid, earlier.droplet.guid), { blobs, signal });
  }
  return { ...earlier, ...staging.facts(), reused: true, buildpacks: earlier.buildpacks };
}

/** Whether the stored bytes are those of the record, by reading them; else why they are not. */
async function unlike(
  droplet: StoredBlob,
  key: BlobKey,
  { blobs, signal }: { readonly blobs: BlobStore; readonly signal: AbortSignal },
): Promise<string> {
  try {
    const { info, body } = await blobs.get(key, { signal });
    if (info.sha256 !== droplet.sha256) {
      body.destroy();
      return `${droplet.location} is another blob, of sha256 ${info.sha256}`;
    }
    await pipeline(body, new Writable({ write: (_chunk, _encoding, done) => done() }), { signal });
    return 'intact';
  } catch (error) {
    if (isStagerError(error, 'BLOB_NOT_FOUND')) return 'gone';
    if (signal.aborted || !isStagerError(error)) throw error;
    return error.message;
  }
}
