/**
 * One staging as the original builder does it (staging-internals.md 6.2): directories, downloads, cache, supply or
 * detect, finalize or compile, process types, result, archives.
 */
import { rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ProcessEntry } from '../../staging/buildpack/contract/process-list.ts';
import type { BuilderConfig } from './builder-flags.ts';
import { type BuildpackDirectories, buildpackDirectories } from './buildpack-directories.ts';
import type { DropinCaller } from './caller.ts';
import { cleanDirectory, exists, makeContentsDir } from './directories.ts';
import { downloadBuildpacks } from './download.ts';
import { failure, SENTENCES, under } from './failure.ts';
import { withPathError } from './go/errno.ts';
import { join, mkdirAll, writeInPlace } from './go/path.ts';
import { decodeUtf8 } from './go/utf8.ts';
import { packageDroplet } from './package-droplet.ts';
import { gatherProcesses } from './processes.ts';
import { readMetadata, resultFileText, stagingInfoText, webCommand } from './result-files.ts';
import { captureScript, runScript, type ScriptRun } from './script.ts';

/** The environment and outputs of a build. */
export type BuildCaller = Pick<DropinCaller, 'env' | 'stdout' | 'stderr'>;

/** The buildpack that finalizes. */
interface Chosen {
  readonly key: string;
  readonly path: string;
  /** What detect printed; empty when it did not run. */
  readonly detected: string;
}

/** Stages as `config` says. @throws DropinFailure with the message to print. */
export async function runBuild(config: BuilderConfig, caller: BuildCaller): Promise<void> {
  const directories = await buildpackDirectories(config);
  const build = new Build(config, caller, directories);
  try {
    await build.run();
  } finally {
    build.cleanUp();
  }
}

class Build {
  readonly #config: BuilderConfig;
  readonly #caller: BuildCaller;
  readonly #directories: BuildpackDirectories;
  /** Buildpacks before the last; none when detecting. */
  readonly #supplies: readonly string[];
  #contentsDir = '';

  constructor(config: BuilderConfig, caller: BuildCaller, directories: BuildpackDirectories) {
    this.#config = config;
    this.#caller = caller;
    this.#directories = directories;
    this.#supplies = config.skipDetect ? config.buildpackOrder.slice(0, -1) : [];
  }

  async run(): Promise<void> {
    const { env, stdout } = this.#caller;
    await under('Failed to set up filesystem when generating droplet', () => this.#makeDirectories());
    await downloadBuildpacks({ config: this.#config, directories: this.#directories, env, stdout });
    this.#cleanCache();
    const chosen = this.#config.skipDetect ? await this.#supplyAll() : await this.#detect();
    try {
      await this.#build(chosen);
    } catch (error) {
      this.#writeFailedResult(chosen);
      throw error;
    }
    await packageDroplet(this.#config, this.#contentsDir, this.#caller);
  }

  cleanUp(): void {
    if (this.#contentsDir !== '') rmSync(this.#contentsDir, { recursive: true, force: true, maxRetries: 3 });
  }

  get #depsDir(): string {
    return join(this.#contentsDir, 'deps');
  }

  get #profileDir(): string {
    return join(this.#contentsDir, 'profile.d');
  }

  /** Padded to the digits of the number of buildpacks. */
  #depsIndex(index: number): string {
    const count = this.#supplies.length + 1;
    return String(index).padStart(String(count).length, '0');
  }

  #makeDirectories(): void {
    const { outputDroplet, outputMetadata, buildArtifactsCacheDir } = this.#config;
    mkdirAll(dirname(outputDroplet));
    mkdirAll(dirname(outputMetadata));
    mkdirAll(join(buildArtifactsCacheDir, 'final'));
    for (const key of this.#supplies) mkdirAll(this.#directories.cache(key));
    this.#contentsDir = makeContentsDir(this.#caller.env['TMPDIR'] ?? '');
    for (let i = 0; i <= this.#supplies.length; i++) mkdirAll(join(this.#depsDir, this.#depsIndex(i)));
    mkdirAll(this.#profileDir);
  }

  /** Drops what no buildpack of this order uses. */
  #cleanCache(): void {
    const root = this.#config.buildArtifactsCacheDir;
    const needed = [join(root, 'final'), ...this.#supplies.map((key) => this.#directories.cache(key))];
    cleanDirectory(root, new Set(needed));
  }

  async #supplyAll(): Promise<Chosen> {
    for (const key of this.#supplies) {
      const path = this.#findSupplying(key);
      const supplies = await under(SENTENCES.supply, () => exists(join(path, 'bin', 'supply')));
      if (!supplies) throw failure(SENTENCES.noSupplyScript);
    }
    for (const [index, key] of this.#supplies.entries()) {
      const path = this.#findSupplying(key);
      const args = [this.#directories.cache(key), this.#depsDir, this.#depsIndex(index)];
      await under(SENTENCES.supply, () => this.#script(path, 'supply', args));
    }
    const key = this.#config.buildpackOrder.at(-1) ?? '';
    return { key, path: await under(SENTENCES.supply, () => this.#directories.find(key)), detected: '' };
  }

  #findSupplying(key: string): string {
    try {
      return this.#directories.find(key);
    } catch (error) {
      this.#printError(error);
      throw failure(SENTENCES.supply, error);
    }
  }

  async #detect(): Promise<Chosen> {
    for (const key of this.#config.buildpackOrder) {
      let path: string;
      try {
        path = this.#directories.find(key);
        this.#warnUnlessExecutable(join(path, 'bin', 'detect'));
      } catch (error) {
        this.#printError(error);
        continue;
      }
      try {
        const output = await this.#output(path, 'detect');
        return { key, path, detected: decodeUtf8(output).replace(/[\r\n]+$/, '') };
      } catch {
        // A detect that says no, or can't be run: the next buildpack is asked.
      }
    }
    throw failure(SENTENCES.detect);
  }

  #warnUnlessExecutable(detect: string): void {
    const { mode } = withPathError('stat', detect, () => statSync(detect));
    if ((mode & 0o111) !== 0o111) {
      this.#caller.stdout("WARNING: buildpack script '/bin/detect' is not executable\n");
    }
  }

  async #build(chosen: Chosen): Promise<void> {
    await under(SENTENCES.compile, () => this.#finalize(chosen.path));
    const processes = await gatherProcesses({
      config: this.#config,
      depsDir: this.#depsDir,
      supplies: this.#supplies.length,
      release: () => this.#output(chosen.path, 'release'),
    });
    this.#writeResult(chosen, processes);
  }

  async #finalize(path: string): Promise<void> {
    const index = this.#depsIndex(this.#supplies.length);
    const cache = join(this.#config.buildArtifactsCacheDir, 'final');
    const finalizes = await under(SENTENCES.finalize, () => exists(join(path, 'bin', 'finalize')));
    if (finalizes) {
      await under(SENTENCES.supply, async () => {
        if (exists(join(path, 'bin', 'supply'))) {
          await this.#script(path, 'supply', [cache, this.#depsDir, index]);
        }
      });
      const args = [cache, this.#depsDir, index, this.#profileDir];
      await under(SENTENCES.finalize, () => this.#script(path, 'finalize', args));
      return;
    }
    if (this.#supplies.length > 0) this.#caller.stderr(`${SENTENCES.missingFinalize}\n`);
    await under(SENTENCES.compile, async () => {
      const unused = join(this.#depsDir, index);
      withPathError('unlinkat', unused, () => rmSync(unused, { recursive: true, force: true }));
      await this.#script(path, 'compile', [cache]);
    });
  }

  #writeResult(chosen: Chosen, processes: readonly ProcessEntry[]): void {
    if (webCommand(processes) === '') {
      this.#caller.stderr('No start command specified by buildpack or via Procfile.\n');
      this.#caller.stderr('App will not start unless a command is provided at runtime.\n');
    }
    const metadata = this.#metadata(chosen).map((it) =>
      !this.#config.skipDetect && it.name === '' ? { ...it, name: chosen.detected } : it,
    );
    writeInPlace(join(this.#contentsDir, 'staging_info.yml'), stagingInfoText(metadata, processes));
    this.#writeResultJson(() => resultFileText(metadata, processes));
  }

  /** So that the platform can tell which buildpacks ran. What goes wrong here is not reported. */
  #writeFailedResult(chosen: Chosen): void {
    try {
      this.#writeResultJson(() => resultFileText(this.#metadata(chosen), undefined));
    } catch {
      // The build's own failure is what counts.
    }
  }

  /** Metadata that has no JSON form leaves the file behind, empty. */
  #writeResultJson(content: () => string): void {
    writeInPlace(this.#config.outputMetadata, '');
    writeInPlace(this.#config.outputMetadata, content());
  }

  #metadata(chosen: Chosen): readonly ReturnType<typeof readMetadata>[] {
    const keys = this.#config.skipDetect ? this.#config.buildpackOrder : [chosen.key];
    return keys.map((key, index) => readMetadata(key, this.#depsDir, this.#depsIndex(index)));
  }

  #script(path: string, name: string, args: readonly string[]): Promise<void> {
    return runScript(this.#scriptRun(path, name, args));
  }

  async #output(path: string, name: string): Promise<Buffer> {
    // A directory of its own, since a buildpack may have removed the contents.
    const scratch = makeContentsDir(this.#caller.env['TMPDIR'] ?? '');
    try {
      return await captureScript(this.#scriptRun(path, name, []), scratch);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }

  #scriptRun(path: string, name: string, args: readonly string[]): ScriptRun {
    const { env } = this.#caller;
    return { path: join(path, 'bin', name), args: [this.#config.buildDir, ...args], env };
  }

  #printError(error: unknown): void {
    this.#caller.stderr(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}
