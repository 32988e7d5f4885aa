/**
 * Getting a dependency of the manifest: from the buildpack itself (offline), from the cache of an earlier
 * staging, from the network, in this order (buildpack-contracts.md 3.5).
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { hashFile } from './checksum.ts';
import { copy } from './copy.ts';
import { newestInSuite, suiteName } from './debian.ts';
import { download, NotThere, wrongChecksum } from './download.ts';
import { isArchive, type Pick, unpack } from './extract.ts';
import { BuildpackFailure, errnoOf } from './failure.ts';
import type { Log } from './log.ts';
import type { Dependency } from './manifest.ts';
import { type Env, fileNameOf, locate } from './mirrors.ts';
import { findOnPypi } from './pypi.ts';
import { leaveNote, noteOf, UNPACKED_DIR, unpackedTree } from './unpacked.ts';

/** Where things are, and what to tell. */
export interface DependencyOptions {
  readonly buildpackDir: string;
  /** The script's CACHE_DIR. */
  readonly cacheDir: string;
  readonly env: Env;
  readonly log: Log;
  readonly retryMs?: readonly number[];
  /** Default: where stager shows it. */
  readonly unpackedDir?: string;
}

/** Where a dependency is unpacked to. */
export interface InstallOptions {
  /** Leading path segments to drop, as tar's `--strip-components`; default 0. */
  readonly strip?: number;
  /** Takes these paths and what is below them (after `strip`), and nothing else. */
  readonly only?: readonly string[];
  /** Chooses and renames entries (after `strip`); undefined leaves one out. */
  readonly pick?: Pick;
  /** Patterns of paths that become executable, beside those of the manifest. */
  readonly executable?: readonly string[];
}

/** What was installed: what a list of components needs. */
export interface Installed {
  readonly name: string;
  readonly version: string;
  /** As the manifest has it; the mirror does not matter. */
  readonly uri: string;
  readonly checksum: string;
}

/** Fetches and installs dependencies; remembers what was used, so that {@link prune} can drop the rest. */
export class Dependencies {
  readonly #options: DependencyOptions;
  readonly #used = new Set<string>();
  readonly #installed: Installed[] = [];

  constructor(options: DependencyOptions) {
    this.#options = options;
  }

  /**
   * A verified copy of the dependency's file; it is not to be changed.
   *
   * @throws BuildpackFailure when it is not available, or has the wrong checksum.
   */
  async fetch(dependency: Dependency): Promise<string> {
    if (dependency.file !== undefined) return this.#fromBuildpack(dependency, dependency.file);
    const { log } = this.#options;
    const { path, known } = await this.#cached(dependency);
    if (known) {
      log.info(`Using ${dependency.name} ${dependency.version} from the cache`);
      return path;
    }
    const url =
      (await findOnPypi(dependency.uri, this.#options.env)) ?? locate(dependency.uri, this.#options.env);
    log.info(`Downloading ${dependency.name} ${dependency.version} from ${url}`);
    try {
      await download(url, path, { ...this.#options, checksum: dependency.checksum, stays: true });
    } catch (error) {
      if (error instanceof NotThere && error.status === 404 && dependency.debian !== undefined) {
        return this.#fetchNewest(dependency, dependency.debian);
      }
      throw error;
    }
    return path;
  }

  /** What {@link install} has installed so far. */
  get installed(): readonly Installed[] {
    return this.#installed;
  }

  /** Keeps its copy in the cache although this staging did not need it; it counts as installed. */
  use(dependency: Dependency): void {
    this.#use(dependency);
    this.#note(dependency);
  }

  /** The same for all that an earlier staging installed, as `DepDir.readInstalled` has it. */
  useAll(installed: readonly Installed[]): void {
    for (const one of installed) {
      this.#use(one);
      this.#installed.push(one);
    }
  }

  #use({ uri }: { readonly uri: string }): void {
    this.#used.add(createHash('sha256').update(uri).digest('hex'));
  }

  #note({ name, version, uri, checksum }: Dependency): void {
    // For a build and for the app.
    if (this.#installed.some((it) => it.uri === uri)) return;
    this.#installed.push({ name, version, uri, checksum: `${checksum.algorithm}:${checksum.digest}` });
  }

  /** Fetches the dependency and unpacks it into `target`. Several at once are listed in the order of the calls. */
  async install(dependency: Dependency, target: string, options: InstallOptions = {}): Promise<void> {
    const { log } = this.#options;
    const { name, version, origin } = dependency;
    this.#note(dependency);
    log.info(`Installing ${name} ${version}${origin === undefined ? '' : ` (${origin})`}`);
    const note = noteOf(dependency, options);
    const tree = await unpackedTree(note, this.#options.unpackedDir ?? UNPACKED_DIR);
    if (tree !== undefined) {
      log.info(`Using ${name} ${version} as this machine has it unpacked`);
      this.#use(dependency);
      return await copy(tree, target);
    }
    const file = await this.fetch(dependency);
    if (!isArchive(basename(file))) {
      await mkdir(target, { recursive: true });
      await copyFile(file, join(target, basename(file)));
      return;
    }
    const executable = [...(dependency.executable ?? []), ...(options.executable ?? [])];
    await unpack(file, target, { ...options, pick: pickOf(options), executable });
    if (dependency.file === undefined) await leaveNote(note, dirname(file));
  }

  /** Installs all of a group (`group` of the manifest), as chosen by `chooseGroup`, into one directory. */
  async installAll(
    group: readonly Dependency[],
    target: string,
    options: InstallOptions = {},
  ): Promise<void> {
    for (const dependency of group) await this.install(dependency, target, options);
  }

  /** Removes from the cache what this run did not use. Call it at the end of supply. */
  async prune(): Promise<void> {
    const root = join(this.#options.cacheDir, 'dependencies');
    let names: string[] = [];
    try {
      names = await readdir(root);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    for (const name of names) {
      if (!this.#used.has(name)) await rm(join(root, name), { recursive: true, force: true });
    }
  }

  async #fromBuildpack(dependency: Dependency, file: string): Promise<string> {
    const path = isAbsolute(file) ? file : join(this.#options.buildpackDir, file);
    try {
      const actual = await hashFile(path, dependency.checksum.algorithm);
      if (actual === dependency.checksum.digest) return path;
      throw wrongChecksum(path, dependency.checksum, actual);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
      throw new BuildpackFailure(`the buildpack should contain ${file} (${dependency.name}), but does not`, {
        next: 'Package the offline buildpack again.',
      });
    }
  }

  /** Path in the cache, and whether a good copy is there; a bad one is removed. */
  async #cached(dependency: Dependency): Promise<{ path: string; known: boolean }> {
    const key = createHash('sha256').update(dependency.uri).digest('hex');
    this.#used.add(key);
    const path = join(this.#options.cacheDir, 'dependencies', key, fileNameOf(dependency.uri));
    try {
      const actual = await hashFile(path, dependency.checksum.algorithm);
      if (actual === dependency.checksum.digest) return { path, known: true };
      this.#options.log.warning(`The cached copy of ${dependency.name} is damaged; downloading it again.`);
      await rm(path, { force: true });
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    return { path, known: false };
  }

  async #fetchNewest(dependency: Dependency, where: { suite: string; package: string }): Promise<string> {
    const { log, env } = this.#options;
    const distribution = dependency.uri.startsWith('ubuntu:') ? 'ubuntu' : 'debian';
    log.warning(
      `The mirror no longer has ${fileNameOf(dependency.uri)}; taking the newest ${where.package} of ` +
        `${suiteName({ ...where, distribution })} as its signed index states it.`,
    );
    const arch = dependency.arch ?? 'x64';
    const scratch = join(this.#options.cacheDir, 'debian-index');
    try {
      const newest = await newestInSuite({ ...where, distribution, arch, env, log, scratch });
      return await this.fetch({
        name: dependency.name,
        version: newest.version,
        uri: newest.uri,
        checksum: newest.checksum,
      });
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
}

function pickOf({ only, pick }: InstallOptions): Pick {
  const isWanted = (path: string): boolean =>
    only === undefined || only.some((one) => path === one || path.startsWith(`${one}/`));
  return (path) => (isWanted(path) ? (pick === undefined ? path : pick(path)) : undefined);
}
