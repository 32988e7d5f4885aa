/**
 * The server's side of a Cloud Foundry upload: a zip with the files that the client thinks are new, and a list of those
 * that matched. Nothing that the client says of content is believed: what arrives is hashed here, and what "matched" is
 * looked up in the tenant's own pool, which holds only what that tenant has sent.
 */
import { z } from 'zod';
import { withLease } from '../../stores/blobs/lease.ts';
import type { Fingerprint } from '../../stores/resource-cache/lookup.ts';
import { Pool } from '../../stores/resource-cache/pool.ts';
import { StagerError } from '../../words/errors.ts';
import { isRefused, parseRelPath, parseSha1, parseSha256 } from '../../words/ids.ts';
import { ArchiveFile } from '../source/archive-file.ts';
import type { Source } from '../source/entry.ts';
import { IgnoreRules } from '../source/ignore.ts';
import { DEFAULT_SOURCE_LIMITS, type SourceLimits } from '../source/limits.ts';
import { ZipSource } from '../source/zip.ts';
import { type CreateOptions, DEFAULT_TENANT, type PackageResult, storePackage } from './create.ts';
import type { ListedFile } from './listing.ts';
import { gone } from './open.ts';

/** Cloud Controller's mode for a resource that has none (staging-internals.md 2.5). */
const DEFAULT_MODE = 0o744;
/** Its minimum mode: the owner must be able to read and write, or buildpacks can't work. */
const LEAST_MODE = 0o600;
const MAX_RESOURCES = 500_000;

const octal = z.string().regex(/^[0-7]{1,11}$/);
const size = z
  .number()
  .int()
  .min(0)
  .max(2 ** 47);
const resourceV3 = z.object({
  path: z.string(),
  mode: octal.optional(),
  checksum: z.object({ value: z.string() }),
  size_in_bytes: size,
});
const resourceV2 = z.object({ fn: z.string(), mode: octal.optional(), sha1: z.string(), size });
const resourceList = z.array(z.union([resourceV3, resourceV2])).max(MAX_RESOURCES);

/** An upload as it is on this host. */
export interface ReceivedPackage {
  /** The `bits` part: a zip, spooled to a file. */
  readonly zipPath?: string;
  /** The `resources` part, parsed from JSON; v3 or v2 form. */
  readonly resources?: unknown;
}

/** As {@link CreateOptions}, with what an upload may hold. */
export interface ReceiveOptions extends Omit<CreateOptions, 'extra' | 'statCachePath'> {
  readonly limits?: Partial<SourceLimits>;
}

/**
 * Makes a package of an upload. A matched resource replaces a file of the zip with the same path, as in Cloud Foundry.
 *
 * @throws StagerError PACKAGE_INVALID (the list, a mode, neither part), SOURCE_UNSAFE (paths), SOURCE_ARCHIVE_INVALID,
 * SOURCE_TOO_LARGE, RESOURCE_MISSING when a matched resource is gone: the client matches again and sends it.
 */
export async function receivePackage(
  upload: ReceivedPackage,
  options: ReceiveOptions,
): Promise<PackageResult> {
  const { limits: given, ...create } = options;
  const limits = { ...DEFAULT_SOURCE_LIMITS, ...given };
  const resources = parseResources(upload.resources);
  if (upload.zipPath === undefined && resources.length === 0) {
    throw invalid(
      'the upload has neither bits nor resources',
      'Send a zip, or resources that matched, or both.',
    );
  }
  const { store, signal } = options;
  // What matched must stay until the package that needs it is there.
  return withLease(store, { purpose: 'an upload', holds: [], signal }, async () => {
    const matched = await resolve(resources, options);
    const left = limits.maxBytes - checkLimits(matched, limits);
    const source =
      upload.zipPath === undefined ? NOTHING : zipSource(upload.zipPath, { ...limits, maxBytes: left });
    return storePackage(source, { ...create, extra: matched });
  });
}

/** What a list of resources asks for, each content once. @throws StagerError PACKAGE_INVALID, SOURCE_UNSAFE. */
export function fingerprintsOf(resources: unknown): readonly Fingerprint[] {
  const bySha1 = new Map(parseResources(resources).map(({ sha1, sizeBytes }) => [sha1, { sha1, sizeBytes }]));
  return [...bySha1.values()];
}

/** The matched resources, checked. */
function parseResources(
  json: unknown,
): readonly (Fingerprint & { path: ListedFile['path']; mode: number })[] {
  if (json === undefined || json === null) return [];
  const parsed = resourceList.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(
      `the list of resources is not valid at ${issue?.path.join('.') ?? 'its start'}`,
      'Send a JSON array.',
    );
  }
  return parsed.data.map((item) => {
    const name = 'path' in item ? item.path : item.fn;
    const path = parseRelPath(name);
    if (isRefused(path)) {
      throw new StagerError(
        'SOURCE_UNSAFE',
        `the resource ${JSON.stringify(name)} is refused: ${path.refused}`,
        {
          next: 'Send paths that are relative to the app and stay inside it.',
          details: { path: name, reason: path.refused },
        },
      );
    }
    const sha1 = parseSha1('path' in item ? item.checksum.value : item.sha1);
    if (sha1 === undefined) throw invalid(`the sha1 of ${path} is not valid`, 'Send 40 hexadecimal digits.');
    return {
      path,
      sha1,
      sizeBytes: 'path' in item ? item.size_in_bytes : item.size,
      mode: modeOf(item.mode, path),
    };
  });
}

function modeOf(text: string | undefined, path: string): number {
  if (text === undefined) return DEFAULT_MODE;
  // Go's file modes carry type and set-id bits high up; only permissions are kept.
  const mode = Number.parseInt(text, 8) & 0o777;
  if ((mode & LEAST_MODE) === LEAST_MODE) return mode;
  throw invalid(
    `the mode ${text} of ${path} does not let its owner read and write it`,
    'Send a mode with at least 0600.',
  );
}

async function resolve(
  resources: ReturnType<typeof parseResources>,
  { store, tenant, signal }: ReceiveOptions,
): Promise<readonly ListedFile[]> {
  const pool = new Pool(store, tenant ?? DEFAULT_TENANT);
  const located = await pool.locate(resources, { signal });
  const known = await pool.match(resources, { signal });
  const missing = resources.filter((_, n) => located[n] === undefined || known[n] !== true);
  if (missing.length > 0) throw gone(missing.map(({ path }) => path));
  return resources.flatMap(({ path, mode, sizeBytes, sha1 }, n) => {
    const sha256 = parseSha256(located[n]?.sha256 ?? '');
    if (sha256 === undefined) return [];
    return [{ kind: 'file' as const, path, mode, sizeBytes, mtimeMs: 0, sha1, sha256 }];
  });
}

function checkLimits(matched: readonly ListedFile[], { maxBytes }: SourceLimits): number {
  const bytes = matched.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (bytes <= maxBytes) return bytes;
  throw new StagerError(
    'SOURCE_TOO_LARGE',
    `the matched files are ${bytes} bytes; the limit is ${maxBytes}`,
    {
      next: 'Leave files out with .cfignore, or raise the limit for packages.',
      details: { limit: maxBytes, actual: bytes },
    },
  );
}

/** A zip as it is: the client has applied its ignore rules. */
function zipSource(path: string, limits: SourceLimits): Source {
  return new ZipSource({
    file: new ArchiveFile(path, 'the uploaded zip'),
    limits,
    rulesOf: () => new IgnoreRules('cf', [], []),
  });
}

/** The source of an upload in which everything matched. */
const NOTHING: Source = {
  description: 'an upload of matched files only',
  kind: 'zip',
  entries: async function* () {},
  hints: async () => [],
};

function invalid(message: string, next: string): StagerError {
  return new StagerError('PACKAGE_INVALID', message, { next });
}
