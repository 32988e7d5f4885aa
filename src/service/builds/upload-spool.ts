/** Uploads in progress: complete, synced and named by their purpose before anything is acknowledged. */
import { createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { namesIn } from '../../machine/host/names-in.ts';
import type { Guid } from '../../words/ids.ts';
import { parseJson } from '../../words/json.ts';

/** Files of one upload; each exists or not. */
export class UploadSpool {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  bits(guid: Guid): string {
    return join(this.dir, `${guid}.bits`);
  }

  #resources(guid: Guid): string {
    return join(this.dir, `${guid}.resources`);
  }

  /** Takes a stream in, up to its end. */
  async take(stream: Readable): Promise<string> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    const aside = join(this.dir, `${crypto.randomUUID()}.part`);
    try {
      await pipeline(stream, createWriteStream(aside, { flags: 'wx', mode: 0o600, flush: true }));
      return aside;
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
  }

  /** Names what was taken in: from here on it survives a crash. */
  async keep(guid: Guid, taken: { readonly bits?: string; readonly resources?: string }): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    if (taken.bits !== undefined) await rename(taken.bits, this.bits(guid));
    if (taken.resources !== undefined) {
      const aside = `${this.#resources(guid)}.part`;
      await using file = await open(aside, 'w', 0o600);
      await file.writeFile(taken.resources);
      await file.sync();
      await rename(aside, this.#resources(guid));
    }
    await using folder = await open(this.dir, 'r');
    await folder.sync();
  }

  async find(guid: Guid): Promise<{ readonly bits?: string; readonly resources?: unknown }> {
    const isThere = (await stat(this.bits(guid)).catch(() => undefined)) !== undefined;
    const text = await readFile(this.#resources(guid), 'utf8').catch(() => undefined);
    return {
      ...(isThere && { bits: this.bits(guid) }),
      ...(text !== undefined && { resources: parseJson(text) }),
    };
  }

  async drop(guid: Guid): Promise<void> {
    await rm(this.bits(guid), { force: true });
    await rm(this.#resources(guid), { force: true });
  }

  /** Removes what belongs to none of these; call it before anything is taken in. */
  async sweep(needed: ReadonlySet<string>): Promise<void> {
    for (const name of await namesIn(this.dir)) {
      if (needed.has(name.split('.', 1)[0] ?? '') && !name.endsWith('.part')) continue;
      await rm(join(this.dir, name), { force: true });
    }
  }
}
