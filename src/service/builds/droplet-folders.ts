/**
 * How large the folders of a droplet are: read once from its tarball, which goes by in pieces and is never held, and
 * kept with its row. What is deeper or more than is kept counts for the folder above it, so sums are right always.
 */
import { PassThrough, type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import pLimit from 'p-limit';
import { extract } from 'tar-stream';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import type { Guid } from '../../words/ids.ts';
import type { Droplet } from '../resources/droplets.ts';
import { json } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import type { Folder } from '../state/schema-page.ts';

/** Levels of folders below the root. */
const DEEPEST = 6;
/** Folders while they are counted, and of those the ones that are kept: the largest. */
const MOST_COUNTED = 50_000;
const MOST_KEPT = 2000;
const LONGEST_NAME = 200;
/** Bytes of a tar, decompressed, and its entries: those of an unpacking. */
const MOST_BYTES = 32 * 1024 ** 3;
const MOST_ENTRIES = 1_000_000;
/** Milliseconds for one droplet. */
const TOTAL_MS = 600_000;
/** Droplets that are read at once: each takes a core. */
const AT_ONCE = 1;

export interface FolderParts {
  readonly queries: Queries;
  readonly blobs: () => Promise<BlobStore>;
}

/** See the top of the file. Who asks for what is being read waits with the others. */
export class DropletFolders {
  readonly #parts: FolderParts;
  readonly #limit = pLimit(AT_ONCE);
  readonly #underWay = new Map<Guid, Promise<Folder>>();

  constructor(parts: FolderParts) {
    this.#parts = parts;
  }

  /** @throws StagerError DROPLET_INVALID, those of the blobstore. */
  async of(droplet: Pick<Droplet, 'guid' | 'content_key'>): Promise<Folder> {
    const known = await keptFolders(this.#parts.queries, droplet.guid);
    if (known !== undefined) return known;
    const reading =
      this.#underWay.get(droplet.guid) ??
      this.#limit(() => this.#read(droplet)).finally(() => this.#underWay.delete(droplet.guid));
    this.#underWay.set(droplet.guid, reading);
    return await reading;
  }

  async #read({ guid, content_key: name }: Pick<Droplet, 'guid' | 'content_key'>): Promise<Folder> {
    if (name === null) throw gone();
    const { queries, blobs } = this.#parts;
    const signal = AbortSignal.timeout(TOTAL_MS);
    const store = await blobs();
    const { body } = await store.get({ kind: 'droplets', name }, { signal });
    const folders = await foldersOfTarball(body, signal);
    await queries
      .insertInto('droplet_folders')
      .columns(['droplet_guid', 'folders'])
      // A droplet that was deleted meanwhile has none.
      .expression((eb) =>
        eb
          .selectFrom('droplets')
          .where('guid', '=', guid)
          .select(({ val, ref, cast }) => [
            ref('guid').as('guid'),
            cast(val(json(folders)), 'jsonb').as('folders'),
          ]),
      )
      .onConflict((on) => on.doNothing())
      .execute();
    return folders;
  }
}

async function keptFolders(queries: Queries, droplet: Guid): Promise<Folder | undefined> {
  const row = await queries
    .selectFrom('droplet_folders')
    .select('folders')
    .where('droplet_guid', '=', droplet)
    .executeTakeFirst();
  return row?.folders;
}

/** @throws StagerError DROPLET_INVALID for what is not a tarball, or more than anybody unpacks. */
export async function foldersOfTarball(body: Readable, signal: AbortSignal): Promise<Folder> {
  const counter = new FolderCounter();
  const entries = extract();
  const reading = readTar(body, entries, signal);
  reading.catch(() => undefined);
  try {
    let count = 0;
    for await (const entry of entries) {
      count += 1;
      if (count > MOST_ENTRIES) throw invalid(`it has more than ${MOST_ENTRIES} entries`);
      const { name, type, size = 0 } = entry.header;
      if (type === 'file' || type === 'contiguous-file') counter.add(name, size);
      entry.resume();
    }
    await reading;
  } catch (error) {
    body.destroy();
    await reading.catch(() => undefined);
    signal.throwIfAborted();
    if (isStagerError(error)) throw error;
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
  return counter.result();
}

async function readTar(
  body: Readable,
  entries: ReturnType<typeof extract>,
  signal: AbortSignal,
): Promise<void> {
  const { head, rest } = await withHead(body);
  let seen = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _, done) {
      seen += chunk.length;
      if (seen > MOST_BYTES) done(invalid(`it has more than ${MOST_BYTES} bytes`));
      else done(null, chunk);
    },
  });
  await pipeline(rest, decoderFor(head), meter, entries, { signal });
}

/** The first bytes, and a stream that begins with them. */
async function withHead(body: Readable): Promise<{ head: Buffer; rest: AsyncIterable<unknown> }> {
  const pieces = body[Symbol.asyncIterator]();
  const first = await pieces.next();
  const head = Buffer.isBuffer(first.value) ? first.value : Buffer.alloc(0);
  const rest = async function* (): AsyncGenerator<unknown> {
    yield head;
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
  };
  return { head, rest: rest() };
}

function decoderFor(head: Buffer): Transform {
  const magic = head.toString('hex', 0, 4);
  if (magic.startsWith('1f8b')) return createGunzip();
  return magic === '28b52ffd' ? createZstdDecompress() : new PassThrough();
}

interface Counted {
  bytes: number;
  files: number;
  readonly folders: Map<string, Counted>;
}

/** Adds files up by folder. */
class FolderCounter {
  readonly #root: Counted = { bytes: 0, files: 0, folders: new Map() };
  #count = 0;

  add(path: string, bytes: number): void {
    const names = path.split('/').filter((name) => name !== '' && name !== '.');
    let at = this.#root;
    for (const name of ['', ...names.slice(0, -1).slice(0, DEEPEST)]) {
      const below = name === '' ? at : this.#below(at, name);
      if (below === undefined) break;
      at = below;
      at.bytes += bytes;
      at.files += 1;
    }
  }

  #below(at: Counted, given: string): Counted | undefined {
    const name = given.replaceAll('\0', '').slice(0, LONGEST_NAME).toWellFormed();
    const known = at.folders.get(name);
    if (known !== undefined || this.#count >= MOST_COUNTED) return known;
    this.#count += 1;
    const made: Counted = { bytes: 0, files: 0, folders: new Map() };
    at.folders.set(name, made);
    return made;
  }

  /** The largest folders; the rest is in the sums of what is above. */
  result(): Folder {
    const sizes: number[] = [];
    const gather = ({ folders }: Counted): void => {
      for (const folder of folders.values()) {
        sizes.push(folder.bytes);
        gather(folder);
      }
    };
    gather(this.#root);
    const least = sizes.length <= MOST_KEPT ? 0 : (sizes.toSorted((a, b) => b - a)[MOST_KEPT - 1] ?? 0) + 1;
    return kept('', this.#root, least);
  }
}

function kept(name: string, { bytes, files, folders }: Counted, least: number): Folder {
  const below = [...folders].filter(([, folder]) => folder.bytes >= least);
  return { name, bytes, files, folders: below.map(([each, folder]) => kept(each, folder, least)) };
}

function gone(): StagerError {
  return invalid('its bytes are gone');
}

function invalid(why: string, cause?: unknown): StagerError {
  return new StagerError('DROPLET_INVALID', `the droplet can't be read: ${why}`, {
    next: 'Stage the app again.',
    ...(cause !== undefined && { cause }),
  });
}
