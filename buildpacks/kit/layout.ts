/** The directory of one buildpack below DEPS_DIR (buildpack-contracts.md 2.3). */
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import type { Installed } from './dependencies.ts';

const installedSchema = z.array(
  z.object({ name: z.string(), version: z.string(), uri: z.string(), checksum: z.string() }),
);

/** A process type for launch.yml. */
export interface LaunchProcess {
  readonly type: string;
  readonly command: string;
  /** MB; only sidecars use it. */
  readonly memoryMb?: number;
  /** Makes it a sidecar of these process types. */
  readonly sidecarFor?: readonly string[];
}

/** Writers for `deps/<idx>`. Relative names only; parents are made. */
export class DepDir {
  readonly path: string;
  readonly idx: string;

  constructor(depsDir: string, idx: string) {
    this.path = join(depsDir, idx);
    this.idx = idx;
  }

  /** Absolute path of something below. */
  at(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /** `$DEPS_DIR/<idx>/…`: the same place at run time, for profile scripts and commands. */
  atRunTime(...names: readonly string[]): string {
    return ['$DEPS_DIR', this.idx, ...names].join('/');
  }

  /** Links `bin/<name>` to a program below this directory: on PATH later and at run time. */
  async linkBin(name: string, program: string): Promise<void> {
    const path = this.at('bin', name);
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    await symlink(relative(dirname(path), program), path);
  }

  /** A variable for the buildpacks that run later; not for run time. */
  async writeEnv(name: string, value: string): Promise<void> {
    await this.#write(join('env', name), value);
  }

  /** A script that is sourced before the app starts. */
  async writeProfile(name: string, script: string): Promise<void> {
    await this.#write(join('profile.d', name), script, 0o755);
  }

  /** Copies a script of the buildpack to profile.d. */
  async copyProfile(name: string, from: string): Promise<void> {
    await mkdir(this.at('profile.d'), { recursive: true });
    await copyFile(from, this.at('profile.d', name));
  }

  /** config.yml: what the platform shows, and a map for other buildpacks. */
  async writeConfig(about: {
    readonly name: string;
    readonly version: string;
    readonly config?: Readonly<Record<string, unknown>>;
  }): Promise<void> {
    await this.#writeJson('config.yml', { ...about, config: about.config ?? {} });
  }

  /** launch.yml: process types and sidecars. The platform does not call bin/release then. */
  async writeLaunch(processes: readonly LaunchProcess[]): Promise<void> {
    const entries = processes.map(({ type, command, memoryMb, sidecarFor }) => ({
      type,
      command,
      ...(memoryMb === undefined ? {} : { limits: { memory: memoryMb } }),
      ...(sidecarFor === undefined ? {} : { platforms: { cloudfoundry: { sidecar_for: sidecarFor } } }),
    }));
    await this.#writeJson('launch.yml', { processes: entries });
  }

  /** installed.json: name, version, origin and checksum of all that was installed, for lists of components. */
  async writeInstalled(installed: readonly object[]): Promise<void> {
    if (installed.length > 0) await this.#writeJson('installed.json', installed);
  }

  /** What {@link writeInstalled} wrote, of a directory that was put back. */
  async readInstalled(): Promise<Installed[]> {
    const text = await readFile(this.at('installed.json'), 'utf8').catch(() => '[]');
    return installedSchema.parse(JSON.parse(text));
  }

  /** JSON is YAML too, and loading a writer of YAML would take a tenth of a staging with nothing to do. */
  async #writeJson(name: string, value: object): Promise<void> {
    await this.#write(name, `${JSON.stringify(value, null, 2)}\n`);
  }

  async #write(name: string, text: string, mode = 0o644): Promise<void> {
    await mkdir(dirname(this.at(name)), { recursive: true });
    await writeFile(this.at(name), text, { mode });
  }
}
