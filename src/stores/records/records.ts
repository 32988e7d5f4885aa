/**
 * The records of earlier stagings, one small file each under the data home: `<startedAt>-<build>.json`, so that
 * names sort by time. What `stager run` without a droplet and `--reuse` look at.
 *
 * It ends with the sha256 of the rest, since commands in a record are run: see `checked-json.ts`.
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../../machine/host/names-in.ts';
import { replaceFile } from '../../machine/host/replace-file.ts';
import { checkedJson, readCheckedJson } from '../../words/checked-json.ts';
import { StagerError } from '../../words/errors.ts';
import type { Guid } from '../../words/ids.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import { recordSchema } from '../../words/staging-record-schema.ts';

/** Records kept; the oldest go first. */
const KEPT = 500;

/** See the top of the file. */
export class StagingRecords {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Keeps a record; once this settles a crash doesn't lose it. */
  async save(record: StagingRecord): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const name = `${record.startedAt.replaceAll(':', '-')}-${record.build}.json`;
    await replaceFile(join(this.#dir, name), checkedJson(record), { mode: 0o600, durable: true });
    const names = await this.#names();
    for (const old of names.slice(0, Math.max(0, names.length - KEPT)))
      await rm(join(this.#dir, old), { force: true });
  }

  /**
   * The record of the newest staging.
   *
   * @throws StagerError DROPLET_NOT_FOUND when it is damaged: an older one is not what was asked for.
   */
  async last(): Promise<StagingRecord | undefined> {
    const name = (await this.#names()).at(-1);
    if (name === undefined) return undefined;
    return (await this.#read(name)) ?? this.#damaged(name);
  }

  /** As {@link find}, for a build that has a file of its own. @throws StagerError DROPLET_NOT_FOUND when it is damaged. */
  async ofBuild(build: Guid): Promise<StagingRecord | undefined> {
    const name = (await this.#names()).findLast((it) => it.endsWith(`-${build}.json`));
    return name === undefined ? undefined : ((await this.#read(name)) ?? this.#damaged(name));
  }

  /** The newest record for which `wanted` holds; files that are not records are skipped. */
  async find(
    wanted: (record: StagingRecord) => boolean | Promise<boolean>,
  ): Promise<StagingRecord | undefined> {
    for (const name of (await this.#names()).toReversed()) {
      const record = await this.#read(name);
      if (record !== undefined && (await wanted(record))) return record;
    }
    return undefined;
  }

  async #read(name: string): Promise<StagingRecord | undefined> {
    const text = await readFile(join(this.#dir, name), 'utf8').catch(() => '');
    const document = readCheckedJson(text);
    return document === undefined ? undefined : recordSchema.safeParse(document).data;
  }

  #damaged(name: string): never {
    const path = join(this.#dir, name);
    throw new StagerError('DROPLET_NOT_FOUND', `the record of that staging is damaged: ${path}`, {
      next: 'Stage the app again, or name its droplet; or remove the file to use the staging before it.',
      details: { path },
    });
  }

  /** Oldest first. */
  async #names(): Promise<string[]> {
    return (await namesIn(this.#dir)).filter((name) => /^\d.*\.json$/.test(name)).toSorted();
  }
}
