/** Packs what an app becomes as a copy in its workspace, and above the tree of its last package. Needs root and loop devices. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import type { Layers, Volumes } from '../../../src/machine/sandbox/port/volume.ts';
import { MountedVolumes } from '../../../src/machine/sandbox/volume/volumes.ts';
import { dropletContents } from '../../../src/staging/droplet/contents.ts';
import { packTarball } from '../../../src/staging/droplet/pack/tarball.ts';
import type { KnownTree } from '../../../src/staging/droplet/tar/known-tree.ts';
import { LayerStore } from '../../../src/staging/layers/store.ts';
import type { Listed } from '../../../src/staging/layers/supply.ts';
import { storePackage } from '../../../src/staging/package/create.ts';
import type { Source } from '../../../src/staging/source/entry.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { LayeredApp, type LayeredInput, type LayerUser } from '../../../src/staging/steps/layered.ts';
import type { Workspace } from '../../../src/staging/workspace/layout.ts';
import { materialise } from '../../../src/staging/workspace/materialise.ts';
import { createWorkspace } from '../../../src/staging/workspace/workspace.ts';
import { DirectoryBlobStore } from '../../../src/stores/blobs/fs/directory-store.ts';
import { systemClock } from '../../../src/words/clock.ts';
import type { Guid } from '../../../src/words/ids.ts';

const DISK_MB = 64;
/** In no range that stager gives to a staging. */
const OWNER = { uid: 1_899_990_000, gid: 1_899_990_000 };

/** What is done to a workspace as scripts do it. */
export type Act = (tmp: string) => unknown;

/** How a staging above a tree went. */
export interface LaidStaging {
  readonly droplet: Buffer;
  /** Whether a tree was there, and was used. */
  readonly used: boolean;
  readonly warnings: readonly string[];
}

/** See the top of the file. */
export class BothWays implements AsyncDisposable {
  readonly #temp: DirectoryResult;
  readonly #volumes: MountedVolumes;
  readonly #blobs: DirectoryBlobStore;
  readonly store: LayerStore;
  /** Does something with how trees are made. */
  around: (layers: Layers) => Layers = (layers) => layers;

  private constructor(temp: DirectoryResult, volumes: MountedVolumes, layers: string) {
    this.#temp = temp;
    this.#volumes = volumes;
    this.#blobs = new DirectoryBlobStore(this.at('blobs'));
    this.store = new LayerStore(layers, systemClock);
  }

  /** @param layers where trees are kept; absent: beside all else. */
  static async make(layers?: string): Promise<BothWays> {
    const temp = await tempDir({ unsafeCleanup: true });
    const home = join(temp.path, 'state');
    mkdirSync(home);
    const volumes = await MountedVolumes.open({ wanted: 'image', home });
    return new BothWays(temp, volumes, layers ?? join(temp.path, 'layers'));
  }

  at(name: string): string {
    return join(this.#temp.path, name);
  }

  /** Stores the package of a directory. */
  async packaged(path: string): Promise<LayeredInput> {
    const source = await openSource(path);
    const { signal } = new AbortController();
    let listed: Listed | undefined;
    await storePackage(source, {
      store: this.#blobs,
      signal,
      onListed: ({ entries, hostRoot }) => {
        listed = { count: entries.length, entries, ...(hostRoot !== undefined && { hostRoot }) };
      },
    });
    return {
      source,
      listed: async () => {
        if (listed === undefined) throw new Error('nothing was listed');
        return listed;
      },
    };
  }

  async asCopy(source: Source, act: Act): Promise<Buffer> {
    const { signal } = new AbortController();
    const workspace = await createWorkspace({ parent: this.at('workspaces'), owner: OWNER });
    try {
      await materialise(source, workspace.app, { owner: OWNER, signal });
      await act(workspace.tmp);
      return await this.#droplet(workspace);
    } finally {
      await workspace.release({ keep: 'never', failed: false });
    }
  }

  /** @returns why it has to be copied, when it has to be; the workspace is then as good for that as another. */
  async aboveTree(app: Guid, input: LayeredInput, act: Act): Promise<LaidStaging | string> {
    const warnings: string[] = [];
    const { signal } = new AbortController();
    const volumes: Volumes = {
      bound: this.#volumes.bound,
      why: this.#volumes.why,
      mount: (at, size) => this.#volumes.mount(at, size),
      layers: this.#volumes.layers && this.around(this.#volumes.layers),
    };
    const user: LayerUser = {
      request: { keep: 'never', diskMb: DISK_MB, app: { guid: app } },
      ports: { layers: { store: this.store, wanted: 'overlay' }, sandbox: { volumes, owner: OWNER } },
      signal,
      report: () => undefined,
      warn: (_code, message) => warnings.push(message),
    };
    const volume = { volumes, size: { bytes: DISK_MB << 20, files: 10_000 } };
    const workspace = await createWorkspace({ parent: this.at('workspaces'), owner: OWNER, volume });
    try {
      const filled = await LayeredApp.fill(user, workspace, input);
      if (typeof filled === 'string') {
        await materialise(input.source, workspace.app, { owner: OWNER, signal });
        return filled;
      }
      await using layered = filled;
      await act(workspace.tmp);
      layered.keep();
      const droplet = await this.#droplet(workspace, layered.known());
      await layered.settled();
      return { droplet, used: layered.note !== 'all written', warnings };
    } finally {
      await workspace.release({ keep: 'never', failed: false });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#volumes.close();
    await this.#temp.cleanup();
  }

  async #droplet(workspace: Workspace, known?: KnownTree): Promise<Buffer> {
    const packed = packTarball(dropletContents(workspace, 'staged: true\n'), {
      signal: new AbortController().signal,
      threads: 1,
      // What was packed above a tree comes from the cache; what was copied is packed anew.
      ...(known !== undefined && { known, memberCache: this.at('members') }),
    });
    return await buffer(packed.body);
  }
}
