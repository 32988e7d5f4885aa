/**
 * Unpacks a buildpack's archive into a new directory. Names, links and sizes were judged before anything is handed out
 * (src/staging/source): what leaves the tree is refused, all of it at once. Writing follows no link (src/staging/workspace).
 */
import { mkdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { MAX_SMALL_BYTES } from '../../../machine/host/read-small.ts';
import { isStagerError, StagerError } from '../../../words/errors.ts';
import { ArchiveFile } from '../../source/archive-file.ts';
import type { Source } from '../../source/entry.ts';
import { IgnoreRules } from '../../source/ignore.ts';
import type { SourceLimits } from '../../source/limits.ts';
import { sniff } from '../../source/sniff.ts';
import { TarSource } from '../../source/tar.ts';
import { ZipSource } from '../../source/zip.ts';
import { materialise } from '../../workspace/materialise.ts';

/** Offline buildpacks are above 1 GB packed (buildpack-contracts.md 3.5). */
const LIMITS: SourceLimits = { maxEntries: 200_000, maxBytes: 8 * 1024 ** 3, maxIgnoreFileBytes: 1024 ** 2 };

/** What {@link extractArchive} needs. */
export interface ExtractOptions {
  /** Name for messages: the reference's key. */
  readonly key: string;
  /** Where content that hard links share is kept. */
  readonly tempRoot: string;
  readonly signal: AbortSignal;
}

/**
 * Unpacks a .zip, .tar or .tar.gz (told by content) into `to`, which is made. Modes and links are kept; set-id bits
 * are dropped; every directory can be entered by its owner.
 *
 * @throws StagerError BUILDPACK_MALFORMED for a damaged or hostile archive.
 */
export async function extractArchive(archive: string, to: string, options: ExtractOptions): Promise<void> {
  try {
    const source = await openArchive(archive, options);
    await mkdir(to, { mode: 0o755 });
    await materialise(source, to, { limits: LIMITS, signal: options.signal });
  } catch (error) {
    throw isStagerError(error) && error.code.startsWith('SOURCE_') ? refused(error, options.key) : error;
  }
}

/**
 * The text of one small file at the root of an archive; undefined when it has none of that name.
 *
 * @throws StagerError BUILDPACK_MALFORMED for a damaged or hostile archive, or a file above 1 MiB.
 */
export async function fileInArchive(
  archive: string,
  name: string,
  options: ExtractOptions,
): Promise<string | undefined> {
  try {
    const source = await openArchive(archive, options);
    for await (const entry of source.entries({ signal: options.signal })) {
      if (entry.kind !== 'file' || entry.path.toString() !== name || entry.open === undefined) continue;
      if (entry.sizeBytes > MAX_SMALL_BYTES) {
        throw new StagerError('SOURCE_TOO_LARGE', `${name} has more than ${MAX_SMALL_BYTES} bytes`);
      }
      return await text(await entry.open());
    }
    return undefined;
  } catch (error) {
    throw isStagerError(error) && error.code.startsWith('SOURCE_') ? refused(error, options.key) : error;
  }
}

async function openArchive(archive: string, options: ExtractOptions): Promise<Source> {
  const file = new ArchiveFile(archive, options.key);
  const everything = (): IgnoreRules => new IgnoreRules('cf', [], []);
  const packed = await sniff(archive, options.key);
  if (packed === 'zip') return new ZipSource({ file, limits: LIMITS, rulesOf: everything });
  const { tempRoot } = options;
  return new TarSource({ file, limits: LIMITS, gzip: packed === 'gzip', tempRoot, rulesOf: everything });
}

function refused(error: StagerError, key: string): StagerError {
  return new StagerError('BUILDPACK_MALFORMED', `buildpack ${key} is refused: ${error.message}`, {
    next: 'Package the buildpack again; a download may be cut off.',
    details: { ...error.details, buildpack: key },
    cause: error,
  });
}
