/** The entries of a .tar or .tar.gz as a stream, bounded whatever the bytes say. */
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { throwIfCancelled } from '../../words/errors.ts';
import type { ArchiveFile } from './archive-file.ts';
import { Meter } from './meter.ts';

/** One entry; its content is read whole, or not at all (then it is skipped), before the next is asked for. */
export interface TarItem {
  readonly header: Header;
  readonly content: AsyncIterable<unknown> & { resume(): unknown };
}

/** How the archive is packed, and how much it may unpack to. */
export interface TarOptions {
  readonly gzip: boolean;
  /** Bytes of the tar stream, headers and padding included. */
  readonly maxStreamBytes: number;
  /** What people raise to raise it. */
  readonly raise?: string;
  readonly signal: AbortSignal;
}

const UNPACKING = { allowUnknownFormat: true, highWaterMark: 16_384 } as const;

/** With zlib's 16 KiB half of the time goes into hand-overs. */
const CHUNK = 256 * 1024;

/**
 * Reads an archive from its start.
 *
 * @throws StagerError SOURCE_ARCHIVE_INVALID, SOURCE_TOO_LARGE, SOURCE_UNREADABLE, SOURCE_CHANGED, CANCELLED.
 */
export async function* readTar(
  file: ArchiveFile,
  options: TarOptions,
): AsyncGenerator<TarItem, void, undefined> {
  const { handle } = await file.open();
  const source = handle.createReadStream({ autoClose: true });
  // Old tars have no magic; their checksums are still verified. (The option is missing from the types.)
  const unpacker = extract({ ...UNPACKING });
  const meter = new Meter(options.maxStreamBytes, file.description, options.raise);
  const fed = options.gzip
    ? pipeline(source, createGunzip({ chunkSize: CHUNK }), meter, unpacker)
    : pipeline(source, meter, unpacker);
  // A failure shows in the loop below; this only keeps it from being unhandled before that.
  const outcome = fed.then(
    () => undefined,
    (error: unknown) => error ?? new Error('failed'),
  );
  let complete = false;
  try {
    for await (const entry of unpacker) {
      throwIfCancelled(options.signal);
      yield { header: entry.header, content: entry };
    }
    complete = true;
  } catch (error) {
    const cause = (await settled(outcome)) ?? error;
    throw file.damaged("can't be read as a tar", { cause });
  } finally {
    if (!complete) {
      unpacker.destroy();
      source.destroy();
      await outcome;
    }
  }
  const failure = await outcome;
  if (failure !== undefined) throw file.damaged("can't be read as a tar", { cause: failure });
}

/** The pipeline's own failure, which is the first one: the others are echoes of it. */
async function settled(outcome: Promise<unknown>): Promise<unknown> {
  return Promise.race([outcome, new Promise((resolve) => setImmediate(() => resolve(undefined)))]);
}
