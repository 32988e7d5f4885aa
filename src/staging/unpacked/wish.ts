/** Which archives buildpacks made with the kit want unpacked in advance: notes next to them in the build cache. */
import { lstat, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { namesNow } from '../../machine/host/names-in.ts';
import { readSmall } from '../../machine/host/read-small.ts';
import { sha256OfBytes } from '../../words/digest.ts';
import { errnoOf } from '../../words/errors.ts';
import type { Sha256 } from '../../words/ids.ts';
import { parseJson } from '../../words/json.ts';

/** A note's name; buildpacks/kit/unpacked.ts writes it. */
const NOTE = 'unpacked.json';
/** A buildpack has a handful; whoever writes more means harm. */
const MOST = 16;

/** Prefixes and no patterns, since a script may have written them and they are matched out here. */
const noteSchema = z.strictObject({
  algorithm: z.enum(['sha256', 'sha512']),
  digest: z.string().regex(/^[0-9a-f]{64,128}$/),
  strip: z.int().min(0).max(8),
  only: z.array(z.string().min(1).max(256)).max(16).nullable(),
  file: z.string().regex(/^[A-Za-z0-9_@+][A-Za-z0-9._@+-]{0,200}\.(tgz|tar\.gz)$/),
});

/** An archive, and how it is to be unpacked. */
export interface Wish extends z.output<typeof noteSchema> {
  /** Names what comes out: it follows from the archive's digest and the rest of the note. */
  readonly key: Sha256;
  /** Host path of the archive, in a directory of the cache that is a real one. */
  readonly archive: string;
  /** The same below the cache. */
  readonly path: string;
  /** Whether it is in the cache: it is stored apart, and brought back where it is needed. */
  readonly isThere: boolean;
}

/** The notes below a build cache that scripts had. What is strange is left out: it only costs time. */
export async function wishesIn(cache: string): Promise<readonly Wish[]> {
  const found: Wish[] = [];
  for (const buildpack of namesNow(cache)) {
    const dir = join(cache, buildpack, 'dependencies');
    for (const name of namesNow(dir)) {
      const wish = found.length < MOST ? await wishIn(join(dir, name), cache) : undefined;
      if (wish !== undefined) found.push(wish);
    }
  }
  return found;
}

async function wishIn(dir: string, cache: string): Promise<Wish | undefined> {
  const note = await readSmall(join(dir, NOTE), cache);
  if (note.kind !== 'text') return undefined;
  const parsed = noteSchema.safeParse(parseJson(note.text)).data;
  if (parsed === undefined) return undefined;
  const [real, root] = [await realpath(dir), await realpath(cache)];
  if (relative(root, real) !== relative(cache, dir)) return undefined;
  const archive = join(dir, parsed.file);
  const kind = await kindOf(archive);
  if (kind === 'other') return undefined;
  const path = relative(cache, archive);
  return { ...parsed, key: sha256OfBytes(note.text), archive, path, isThere: kind === 'file' };
}

async function kindOf(path: string): Promise<'file' | 'absent' | 'other'> {
  try {
    return (await lstat(path)).isFile() ? 'file' : 'other';
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? 'absent' : 'other';
  }
}
