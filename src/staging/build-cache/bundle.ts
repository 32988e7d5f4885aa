/**
 * All that a staging fetched, in a directory that can be carried to where there is no network: `bundle.json`, and one
 * tarball, the build cache of a staging that began with an empty one (docs/decisions/offline-bundles.md).
 *
 * The tarball is named by its digest, and bundle.json names the digest: a bundle that is written again is the old one or
 * the new one, whole. Nothing in bundle.json is a path.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { hashing } from '../../machine/host/hashing.ts';
import { outputError } from '../../machine/host/output-file.ts';
import { replaceFile, replaceFileWith } from '../../machine/host/replace-file.ts';
import { sha256Of } from '../../words/digest.ts';
import { errnoOf, isStagerError, StagerError, throwIfCancelled } from '../../words/errors.ts';
import { parseSha256, type Sha256 } from '../../words/ids.ts';
import { parseJson } from '../../words/json.ts';
import { formatBytes } from '../../words/units.ts';
import { buildCacheContents } from '../droplet/contents.ts';
import { type PackOptions, packTarball } from '../droplet/pack/tarball.ts';
import { type UnpackOptions, unpackTarball } from '../droplet/unpack/unpack.ts';
import { isMirrorName } from './mirror-names.ts';

const FORMAT = 1;
const DOCUMENT = 'bundle.json';

/** What a bundle says of itself. */
const bundleSchema = z.object({
  format: z.literal(FORMAT),
  app: z.string(),
  stack: z.string(),
  arch: z.string(),
  /** Its caches belong to these, by key. */
  buildpacks: z.array(z.object({ key: z.string(), version: z.string().exactOptional(), sha256: z.string() })),
  /** Registries by which caches are ordered, so that the staging from the bundle has to name the same ones. */
  variables: z.record(z.string().refine(isMirrorName), z.string()),
  /** What buildpacks of the kit installed. Packages of apps are in the caches of their managers. */
  dependencies: z.array(
    z.object({ name: z.string(), version: z.string(), uri: z.string(), checksum: z.string() }),
  ),
  sha256: z.string().transform((text, context): Sha256 => {
    const digest = parseSha256(text);
    if (digest !== undefined) return digest;
    context.addIssue({ code: 'custom', message: 'not a sha256' });
    return z.NEVER;
  }),
  sizeBytes: z.int().min(0),
});

/** See {@link bundleSchema}. */
export type Bundle = z.output<typeof bundleSchema>;

const fileOf = (dir: string, { sha256 }: Pick<Bundle, 'sha256'>): string =>
  join(dir, `cache-${sha256}.tar.gz`);

/**
 * Refuses a directory that can't be written to, before the work begins.
 *
 * @throws StagerError CONFIG_INVALID.
 */
export async function prepareBundle(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
  } catch (error) {
    throw errnoOf(error) === 'EEXIST' ? notDirectory(dir, error) : outputError(dir, error);
  }
}

/**
 * Writes the bundle of a staging into `dir`, in place of the one that is there.
 *
 * @throws StagerError CONFIG_INVALID, HOST_DISK_FULL, CANCELLED, those of packing.
 */
export async function writeBundle(
  dir: string,
  from: { readonly cache: string; readonly facts: Omit<Bundle, 'format' | 'sha256' | 'sizeBytes'> },
  options: PackOptions,
): Promise<Bundle> {
  const before = await readBundle(dir).catch(() => undefined);
  const packed = packTarball(buildCacheContents(from.cache), options);
  const hash = createHash('sha256');
  try {
    // Its name is known when all of it is written.
    const aside = join(dir, 'cache.tar.gz');
    await replaceFileWith(aside, (to) =>
      pipeline(packed.body, hashing(hash), to, { signal: options.signal }),
    );
    const { size: sizeBytes } = await stat(aside);
    const bundle: Bundle = { format: FORMAT, ...from.facts, sha256: sha256Of(hash), sizeBytes };
    await rename(aside, fileOf(dir, bundle));
    await replaceFile(join(dir, DOCUMENT), `${JSON.stringify(bundle, null, 2)}\n`, { durable: true });
    if (before !== undefined && before.sha256 !== bundle.sha256)
      await rm(fileOf(dir, before), { force: true });
    return bundle;
  } catch (error) {
    throwIfCancelled(options.signal);
    throw outputError(join(dir, DOCUMENT), error);
  }
}

/**
 * What the bundle in `dir` says; its tarball has the right size, and {@link unpackBundle} verifies it.
 *
 * @throws StagerError BUNDLE_INVALID when there is none, or it is damaged.
 */
export async function readBundle(dir: string): Promise<Bundle> {
  const text = await readFile(join(dir, DOCUMENT), 'utf8').catch((error: unknown) => {
    throw invalid(dir, `has no ${DOCUMENT} that can be read (${errnoOf(error) ?? 'unknown error'})`);
  });
  const parsed = bundleSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? '' : ` (${issue.path.join('.')})`;
    throw invalid(dir, `has a ${DOCUMENT} that is damaged or of another version${where}`);
  }
  const bundle = parsed.data;
  const facts = await stat(fileOf(dir, bundle)).catch(() => undefined);
  if (facts?.isFile() !== true) throw invalid(dir, `lacks cache-${bundle.sha256}.tar.gz`);
  if (facts.size !== bundle.sizeBytes) {
    const sizes = `${formatBytes(facts.size)} of ${formatBytes(bundle.sizeBytes)}`;
    throw invalid(dir, `is damaged: its tarball has ${sizes}`);
  }
  return bundle;
}

/**
 * Fills `cache` with what the bundle holds. After a failure the directory holds a part: nothing may run with it.
 *
 * @throws StagerError BUNDLE_INVALID when the tarball is not the one that bundle.json names, HOST_DISK_FULL, CANCELLED.
 */
export async function unpackBundle(
  dir: string,
  bundle: Bundle,
  to: { readonly cache: string } & Omit<UnpackOptions, 'what'>,
): Promise<void> {
  const hash = createHash('sha256');
  const hashed = hashing(hash);
  const file = createReadStream(fileOf(dir, bundle));
  file.once('error', (error) => hashed.destroy(error));
  try {
    await unpackTarball(file.pipe(hashed), to.cache, { ...to, what: 'its tarball' });
  } catch (error) {
    throwIfCancelled(to.signal);
    if (isStagerError(error, 'HOST_DISK_FULL')) throw error;
    throw invalid(dir, `is damaged: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    file.destroy();
  }
  const actual = sha256Of(hash);
  if (actual !== bundle.sha256) throw invalid(dir, `is damaged: sha256 of its tarball is ${actual}`);
}

function invalid(dir: string, what: string): StagerError {
  return new StagerError('BUNDLE_INVALID', `the bundle ${dir} ${what}`, {
    next: 'Copy the whole directory again, or record it again where there is a network: stager stage --record-dependencies DIR.',
    details: { directory: dir },
  });
}

function notDirectory(dir: string, cause: unknown): StagerError {
  return new StagerError('CONFIG_INVALID', `${dir} is not a directory`, {
    next: 'Name a directory; it is made when it is not there.',
    details: { directory: dir },
    cause,
  });
}
