/**
 * Content that later entries of a stream need again. A tar stores a hard-linked file once and can't be read
 * backwards, so such a file rests on disk while its copies are handed out.
 */
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A private directory that is made on first use. */
export class Spool {
  readonly #tempRoot: string;
  readonly #held = new Set<number>();
  #directory: string | undefined;

  constructor(tempRoot: string) {
    this.#tempRoot = tempRoot;
  }

  /** Keeps `content` under a number. */
  async keep(index: number, content: Readable): Promise<void> {
    this.#directory ??= await mkdtemp(join(this.#tempRoot, 'stager-spool-'));
    await pipeline(
      content,
      createWriteStream(join(this.#directory, String(index)), { flags: 'wx', mode: 0o600 }),
    );
    this.#held.add(index);
  }

  /** Host path of what was kept under a number, or undefined. */
  at(index: number): string | undefined {
    if (this.#directory === undefined || !this.#held.has(index)) return undefined;
    return join(this.#directory, String(index));
  }

  async remove(): Promise<void> {
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
  }
}
