/**
 * The packages that an earlier staging installed, put back instead of installed again.
 *
 * What an installation adds to the app is kept as one tar, `CACHE_DIR/kept/node_modules`: it is restored sooner than
 * thousands of files, and one digest says that it is unchanged. It is taken before the build script runs, since that may
 * write into node_modules as well.
 */
import { readdirSync } from 'node:fs';
import { lstat, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, hashFile, hasTar, packTar, type StepContext, unpackTar } from '../../kit/index.ts';
import type { InstallPlan } from './commands.ts';
import {
  hasInstallScript,
  type InstallContext,
  type InstallInputs,
  installInputs,
  wholeApp,
} from './install-inputs.ts';
import type { App } from './package-json.ts';
import { changesSince, type TreeFacts, treeFacts } from './tree-changes.ts';

const TAR = 'added.tar';
const RECORD = 'record.json';
/** What managers themselves write into HOME. */
const OF_MANAGERS = /^\.(npm|yarn|node-gyp)|pnpm|^\.(cache|config|local)(\/(share|state))?$/;

const record = z.object({
  /** Paths in the app that the installation made. */
  added: z.array(z.string()),
  sha256: z.string(),
  /** Digest of the whole app, where the installation may have read any of it. */
  app: z.string().optional(),
});

/** Used once, in the place of one installation. */
export class KeptModules {
  readonly #context: InstallContext;
  readonly #app: App;
  readonly #inputs: InstallInputs;
  readonly #home: string;
  #before: { readonly app: TreeFacts; readonly home: TreeFacts } | undefined;

  private constructor(context: InstallContext, app: App, inputs: InstallInputs) {
    this.#context = context;
    this.#app = app;
    this.#inputs = inputs;
    this.#home = context.env['HOME'] ?? '/nonexistent';
  }

  /** Undefined where it is switched off, can't be done, or where no lock file says what is installed. */
  static async of(context: InstallContext, app: App, plan: InstallPlan): Promise<KeptModules | undefined> {
    const { lock } = plan.manager;
    const wanted = context.env['NODE_MODULES_CACHE'] !== 'false';
    if (lock !== undefined && wanted && (await hasTar())) {
      return new KeptModules(context, app, await installInputs(context, app, { plan, lock }));
    }
    await KeptModules.forget(context);
    return undefined;
  }

  /** Drops what was kept, of whatever installation. */
  static async forget({ cacheDir }: Pick<StepContext, 'cacheDir'>): Promise<void> {
    await rm(join(cacheDir, 'kept/node_modules'), { recursive: true, force: true });
  }

  /** Puts back what was kept of the same installation; false when there is nothing, or nothing intact. */
  async restore(): Promise<boolean> {
    const { log, dependencies } = this.#context;
    const { kept } = this.#inputs;
    const known = await this.#known();
    if (known === undefined) return false;
    const tar = kept.path(TAR);
    if ((await hashFile(tar, 'sha256').catch(() => undefined)) !== known.sha256) {
      log.warning('The kept packages are damaged; they are installed again.');
      return false;
    }
    try {
      await unpackTar(tar, this.#app.dir);
    } catch (error) {
      if (!(error instanceof BuildpackFailure)) throw error;
      log.warning('The kept packages could not be unpacked; they are installed again.');
      for (const path of known.added) await rm(join(this.#app.dir, path), { recursive: true, force: true });
      return false;
    }
    log.step(`Reusing the packages of an earlier staging (key ${kept.key.slice(0, 12)})`);
    const versions = dependencies.installed.map(({ name, version }) => `${name} ${version}`);
    const app = known.app === undefined ? [] : ['all of the app (scripts run at installation)'];
    log.info(`Unchanged: lock file, ${[...versions, 'settings', 'environment', ...app].join(', ')}`);
    return true;
  }

  /** To be called right before the installation that {@link keep} keeps. */
  begin(): void {
    this.#before = { app: treeFacts(this.#app.dir), home: factsOrNothing(this.#home) };
  }

  /** Keeps what was installed since {@link begin}, unless it did more than add to the app. */
  async keep(): Promise<void> {
    if (this.#before === undefined) return;
    const { dir } = this.#app;
    const { added, touched } = changesSince(this.#before.app, dir);
    const whole = this.#inputs.readsApp || addedScripts(dir, added);
    const outside = whole ? this.#addedAtHome(this.#before.home) : [];
    const strange = [...touched, ...outside, ...added.filter((path) => path.includes('\n'))];
    if (added.length === 0 || strange.length > 0) return await this.#leave(strange);
    const app = whole ? await wholeApp(this.#context, this.#app, added) : undefined;
    await this.#inputs.kept.keepWritten(async (to) => {
      const [tar, list] = [join(to, TAR), join(to, 'list')];
      await writeFile(list, added.map((path) => `./${path}\n`).join(''));
      await packTar(dir, tar, list);
      await rm(list);
      const written = { added, sha256: await hashFile(tar, 'sha256'), ...(app !== undefined && { app }) };
      await writeFile(join(to, RECORD), JSON.stringify(written));
    });
  }

  /** What is kept of the same installation and does not lie over anything of the app. */
  async #known(): Promise<z.output<typeof record> | undefined> {
    const { kept } = this.#inputs;
    if (!(await kept.isThere())) return undefined;
    const text = await readFile(kept.path(RECORD), 'utf8').catch(() => '{}');
    const known = record.safeParse(JSON.parse(text)).data;
    if (known === undefined) return undefined;
    for (const path of known.added) if (await isThere(join(this.#app.dir, path))) return undefined;
    if (known.app === undefined) return known;
    return known.app === (await wholeApp(this.#context, this.#app, [])) ? known : undefined;
  }

  #addedAtHome(before: TreeFacts): string[] {
    const after = factsOrNothing(this.#home);
    return [...after.keys()].filter((path) => !before.has(path) && !OF_MANAGERS.test(path));
  }

  async #leave(strange: readonly string[]): Promise<void> {
    await KeptModules.forget(this.#context);
    const [first] = strange;
    if (first === undefined) return;
    this.#context.log.info(
      `The packages are not kept for the next staging: their installation wrote ${first}, which is not theirs alone.`,
    );
  }
}

/** Whether a package that was installed has scripts of its own. */
function addedScripts(dir: string, added: readonly string[]): boolean {
  const ahead = added.map((path) => join(dir, path));
  for (let at = ahead.pop(); at !== undefined; at = ahead.pop()) {
    for (const entry of directoriesIn(at)) {
      const path = join(at, entry);
      ahead.push(path);
      if (/\/node_modules\/(@[^/]+\/)?[^/@][^/]*$/.test(path) && hasInstallScript(path)) return true;
    }
  }
  return false;
}

function directoriesIn(dir: string): string[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

function factsOrNothing(dir: string): TreeFacts {
  try {
    return treeFacts(dir);
  } catch {
    return new Map();
  }
}

const isThere = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined)) !== undefined;
