/** Trees that this machine has already unpacked for the buildpacks of a staging, and those it keeps for the next. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mount } from '../../machine/sandbox/port/sandbox.ts';
import { isStagerError } from '../../words/errors.ts';
import type { HeldTree } from '../buildpack/acquire/content-store.ts';
import { type Wish, wishesIn } from '../unpacked/wish.ts';
import { INSIDE, type Workspace } from '../workspace/layout.ts';
import { replacedPart } from '../workspace/own.ts';
import type { Staging } from './staging.ts';

const FOLDER = 'unpacked';

/** Trees that one staging offers its scripts; they are held until it ends. */
export class OfferedTrees implements AsyncDisposable {
  readonly #staging: Staging;
  readonly #held: HeldTree[] = [];
  #mounts: readonly Mount[] = [];
  #keeping: Promise<void> | undefined;

  constructor(staging: Staging) {
    this.#staging = staging;
  }

  /** What scripts see from {@link offer} on. */
  get mounts(): readonly Mount[] {
    return this.#mounts;
  }

  /** Looks for what the restored cache wishes for, before scripts see it. @returns wishes of which there is no tree. */
  async offer(workspace: Workspace): Promise<readonly Wish[]> {
    const { ports, signal } = this.#staging;
    const wishes = await wishesIn(workspace.cache);
    if (!this.#isUsable) return wishes;
    const mounts: Mount[] = [];
    const lacking: Wish[] = [];
    for (const wish of wishes) {
      const tree = await ports.unpacked.hold(wish, signal, (path, why) =>
        this.#staging.warn('unpacked-damaged', `${path} is damaged (${why}); it is unpacked again`),
      );
      if (tree === undefined) {
        lacking.push(wish);
        continue;
      }
      this.#held.push(tree);
      await mkdir(join(workspace.platform, FOLDER, wish.key), { recursive: true });
      mounts.push({ source: tree.dir, target: `${INSIDE.platform}/${FOLDER}/${wish.key}`, writable: false });
    }
    this.#mounts = mounts;
    return lacking;
  }

  /** Begins to unpack what the scripts had to unpack themselves; {@link Symbol.asyncDispose} waits for it. */
  keep(workspace: Workspace): void {
    this.#keeping = this.#keep(workspace).catch((error: unknown) => {
      if (this.#staging.signal.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      this.#staging.warn('unpacked-not-kept', `what was installed is not kept unpacked: ${why}`);
    });
  }

  async settled(): Promise<void> {
    await this.#keeping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keeping;
    for (const tree of this.#held) await tree.release();
  }

  async #keep(workspace: Workspace): Promise<void> {
    const { ports, signal, request } = this.#staging;
    if (request.cache === 'none' || !this.#isUsable) return;
    if ((await replacedPart(workspace, workspace.cache)) !== undefined) return;
    const wishes = await wishesIn(workspace.cache);
    for (const wish of wishes) {
      // One that is not there is what its tree was offered for.
      if (!wish.isThere) continue;
      await ports.unpacked.keep(wish, signal).catch((error: unknown) => {
        // Whatever a script put there.
        if (!isStagerError(error) || !error.code.startsWith('SOURCE_')) throw error;
      });
    }
    if (wishes.some(({ isThere }) => isThere)) await ports.unpacked.sweep(signal);
  }

  /** Only a container shows a tree without letting it be changed. */
  get #isUsable(): boolean {
    return this.#staging.ports.sandbox.kind === 'oci';
  }
}
