/** The list of installed buildpacks as a file: read whole, changed under a claim, replaced atomically. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { withClaim } from '../../../machine/host/file-claim.ts';
import { replaceFile } from '../../../machine/host/replace-file.ts';
import { checkedJson, readCheckedJson } from '../../../words/checked-json.ts';
import type { Clock } from '../../../words/clock.ts';
import { errnoOf, StagerError } from '../../../words/errors.ts';
import { parseSha256, type Sha256 } from '../../../words/ids.ts';
import { BUILDPACK_NAME } from '../contract/reference.ts';

const sha256 = z.string().transform((text, context): Sha256 => {
  const digest = parseSha256(text);
  if (digest !== undefined) return digest;
  context.addIssue('not a sha256');
  return z.NEVER;
});

const entrySchema = z.object({
  name: z.string().regex(BUILDPACK_NAME),
  stack: z.string().optional(),
  enabled: z.boolean(),
  locked: z.boolean(),
  filename: z.string(),
  version: z.string().optional(),
  digest: sha256,
  /** Root relative to the tree. */
  inner: z.string(),
  /** Reference it was made from, without credentials. */
  source: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
const indexSchema = z.object({ version: z.literal(1), buildpacks: z.array(entrySchema) });

/** One installed buildpack; its position is its place in the list. */
export type IndexEntry = z.infer<typeof entrySchema>;

/** `index.json` in the registry's directory. */
export class RegistryIndex {
  readonly #dir: string;
  readonly #clock: Clock;

  constructor(dir: string, clock: Clock) {
    this.#dir = dir;
    this.#clock = clock;
  }

  /** The list in order of position; empty when nothing was installed yet. */
  async read(): Promise<readonly IndexEntry[]> {
    const path = join(this.#dir, 'index.json');
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
    const parsed = indexSchema.safeParse(readCheckedJson(text));
    if (parsed.success) return parsed.data.buildpacks;
    throw new StagerError('CONFIG_INVALID', `${path} is damaged: it is not what was written`, {
      next: 'Restore it from a backup, or remove it and install the buildpacks again.',
      details: { path },
    });
  }

  /** Replaces the list by what `change` makes of it, while no other process does. */
  async change<T>(
    signal: AbortSignal,
    change: (list: readonly IndexEntry[]) => { readonly list: readonly IndexEntry[]; readonly result: T },
  ): Promise<T> {
    await mkdir(this.#dir, { recursive: true });
    return await withClaim(join(this.#dir, 'index.lock'), { clock: this.#clock, signal }, async () => {
      const { list, result } = change(await this.read());
      await this.#write(list);
      return result;
    });
  }

  async #write(list: readonly IndexEntry[]): Promise<void> {
    const path = join(this.#dir, 'index.json');
    await replaceFile(path, checkedJson({ version: 1, buildpacks: list }), { durable: true });
  }
}
