/**
 * The records of earlier stagings, one small file each under the data home: `<startedAt>-<build>.json`, so that
 * names sort by time. What `stager run` without a droplet and `--reuse` look at.
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../../machine/host/names-in.ts';
import { replaceFile } from '../../machine/host/replace-file.ts';
import { parseJson } from '../../words/json.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import { recordSchema } from './schema.ts';

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
    const text = `${JSON.stringify(record, undefined, 2)}\n`;
    await replaceFile(join(this.#dir, name), text, { mode: 0o600, durable: true });
    const names = await this.#names();
    for (const old of names.slice(0, Math.max(0, names.length - KEPT)))
      await rm(join(this.#dir, old), { force: true });
  }

  /** The record of the newest staging. */
  async last(): Promise<StagingRecord | undefined> {
    return await this.find(() => true);
  }

  /** The newest record for which `wanted` holds; files that are no record are passed over. */
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
    return recordSchema.safeParse(parseJson(text)).data;
  }

  /** Oldest first. */
  async #names(): Promise<string[]> {
    return (await namesIn(this.#dir)).filter((name) => /^\d.*\.json$/.test(name)).toSorted();
  }
}
