/**
 * Runs buildpack scripts the way the builder does (buildpack-contracts.md 2.2), without the engine: as an
 * unprivileged user where the test has root, with only the staging environment, in a directory tree of its own.
 * For tests of the buildpacks themselves; what the engine does with them is tested through the engine.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, cp, link, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { freePort } from './free-port.ts';

const launchFile = z.object({ processes: z.array(z.object({ type: z.string(), command: z.string() })) });

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** How long a busy machine may take for what takes a second; only what hangs is ended by it. */
const PATIENCE_MS = 100_000;
/** Verified downloads of earlier runs: CACHE_DIR/dependencies of every staging starts from it. */
const SHARED = join(ROOT, '.cache/buildpack-tests/dependencies');
const VCAP = process.getuid?.() === 0 ? { uid: 2000, gid: 2000 } : {};

/** What the engine passes on of the machine's network: without it, a proxy that re-signs TLS stops every test. */
const NETWORK = Object.fromEntries(
  [
    'http_proxy',
    'https_proxy',
    'no_proxy',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'NODE_EXTRA_CA_CERTS',
    'SSL_CERT_FILE',
    'NPM_CONFIG_REGISTRY',
    'STAGER_NPM_REGISTRY',
    'STAGER_DEBIAN_MIRROR',
    'STAGER_DEBIAN_SECURITY_MIRROR',
    'STAGER_UBUNTU_MIRROR',
    'GOPROXY',
    'GONOSUMDB',
    'PIP_INDEX_URL',
    'UV_DEFAULT_INDEX',
    'STAGER_PYPI_INDEX',
    'STAGER_MAVEN_MIRROR',
    'STAGER_GO_PROXY',
  ].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  }),
);

/** How a script or process ended. */
export interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** One app's tree: app, cache, deps, profile.d, tmp. */
export class Driver {
  readonly root: string;
  readonly env: Record<string, string>;
  /** Off: the first staging has nothing in its cache, as that of a new app. */
  sharesDownloads = true;
  /** Runs each script; who measures them has a clock around it. */
  around: (script: () => Promise<Outcome>) => Promise<Outcome> = (script) => script();

  private constructor(root: string, env: Record<string, string>) {
    this.root = root;
    this.env = env;
  }

  /** A tree with a copy of `fixtures/apps/<app>`, or of an absolute path. */
  static async of(app: string, env: Record<string, string> = {}): Promise<Driver> {
    const root = await mkdtemp(join(tmpdir(), 'buildpack-'));
    await chmod(root, 0o755);
    const driver = new Driver(root, {
      CF_STACK: 'host',
      HOME: join(root, 'home'),
      TMPDIR: join(root, 'tmp'),
      LANG: 'C.UTF-8',
      PATH: '/usr/local/bin:/usr/bin:/bin',
      ...NETWORK,
      ...env,
    });
    for (const name of ['home', 'tmp', 'cache', 'deps', 'profile.d']) await mkdir(driver.at(name));
    await driver.#copyApp(app);
    return driver;
  }

  /** As the next staging finds it: the app as it came, nothing but the cache of what was before. */
  async restart(app: string): Promise<void> {
    for (const name of ['app', 'home', 'tmp', 'deps', 'profile.d'])
      await rm(this.at(name), { recursive: true, force: true });
    for (const name of ['home', 'tmp', 'deps', 'profile.d']) await mkdir(this.at(name));
    await this.#copyApp(app);
  }

  /** The app as it came, since a staging changes it. */
  async resetApp(app: string): Promise<void> {
    await rm(this.at('app'), { recursive: true });
    await cp(join(ROOT, 'fixtures/apps', app), this.at('app'), { recursive: true, verbatimSymlinks: true });
    await mkdir(this.at('profile.d'), { recursive: true });
  }

  /** A path in the tree. */
  at(...names: readonly string[]): string {
    return join(this.root, ...names);
  }

  /** Runs `bin/detect` of a shipped buildpack over the app. */
  async detect(buildpack: string): Promise<Outcome> {
    return this.#script(await this.#copy(buildpack), 'detect', [this.at('app')]);
  }

  /** Runs `bin/release`. */
  async release(buildpack: string): Promise<Outcome> {
    return this.#script(await this.#copy(buildpack), 'release', [this.at('app')]);
  }

  /** Supply of all, then finalize of the last; the first failure ends it. */
  async stage(...buildpacks: readonly string[]): Promise<Outcome> {
    if (this.sharesDownloads) await linkTree(SHARED, this.at('cache/dependencies'));
    for (const idx of buildpacks.keys()) await mkdir(this.at('deps', `${idx}`), { recursive: true });
    let output = '';
    for (const [idx, buildpack] of buildpacks.entries()) {
      const dir = await this.#copy(buildpack);
      const args = [this.at('app'), this.at('cache'), this.at('deps'), `${idx}`];
      const supplied = await this.#script(dir, 'supply', args);
      output += supplied.output;
      if (supplied.code !== 0) return { code: supplied.code, output };
      if (idx < buildpacks.length - 1) continue;
      const finalized = await this.#script(dir, 'finalize', [...args, this.at('profile.d')]);
      output += finalized.output;
      if (finalized.code !== 0) return { code: finalized.code, output };
    }
    if (this.sharesDownloads) await linkTree(this.at('cache/dependencies'), SHARED);
    return { code: 0, output };
  }

  /** Runs finalize alone, over what an earlier {@link stage} left. */
  /** Commands by process type that the buildpack left in launch.yml. */
  get commands(): Readonly<Record<string, string>> {
    const { processes } = launchFile.parse(parse(readFileSync(this.at('deps/0/launch.yml'), 'utf8')));
    return Object.fromEntries(processes.map(({ type, command }) => [type, command]));
  }

  async finalize(buildpack: string): Promise<Outcome> {
    const places = [this.at('app'), this.at('cache'), this.at('deps'), '0', this.at('profile.d')];
    return this.#script(await this.#copy(buildpack), 'finalize', places);
  }

  /** Starts a command as the launcher does; `use` talks to it; SIGTERM ends it. Its exit code and output. */
  async launch(
    command: string,
    use: (url: string, said: () => string) => Promise<void>,
    env: Record<string, string> = {},
  ): Promise<Outcome> {
    const port = await freePort();
    const script = 'cd "$HOME"; for f in ../profile.d/*; do [ -f "$f" ] && . "$f"; done; exec bash -c "$1"';
    const child = spawn('bash', ['-c', script, 'launcher', command], {
      cwd: this.at('app'),
      env: { ...this.env, HOME: this.at('app'), DEPS_DIR: this.at('deps'), PORT: `${port}`, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...VCAP,
    });
    let output = '';
    const ended = collect(child, (text) => {
      output += text;
    });
    try {
      await listening(port, child);
      await use(`http://127.0.0.1:${port}`, () => output);
      child.kill('SIGTERM');
    } catch (error) {
      killGroup(child);
      throw new Error(`the app failed: ${(await ended).output}`, { cause: error });
    }
    // The platform has ten seconds; the exit code shows that it was killed.
    const patience = setTimeout(() => killGroup(child), PATIENCE_MS);
    const outcome = await ended;
    clearTimeout(patience);
    killGroup(child);
    return outcome;
  }

  /** Removes the tree. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  async #copyApp(app: string): Promise<void> {
    const source = app.startsWith('/') ? app : join(ROOT, 'fixtures/apps', app);
    await cp(source, this.at('app'), { recursive: true, verbatimSymlinks: true });
  }

  async #copy(buildpack: string): Promise<string> {
    const copies = this.at('buildpacks');
    const to = join(copies, `${(await readdir(copies).catch(() => [])).length}`);
    const source = buildpack.startsWith('/') ? buildpack : join(ROOT, 'buildpacks', buildpack);
    await cp(source, to, { recursive: true, verbatimSymlinks: true });
    return to;
  }

  async #script(dir: string, name: string, args: readonly string[]): Promise<Outcome> {
    if (VCAP.uid !== undefined) execFileSync('chown', ['-R', `${VCAP.uid}:${VCAP.gid}`, this.root]);
    const path = join(dir, 'bin', name);
    const env = { ...this.env, PATH: `${join(ROOT, 'node_modules/node/bin')}:${this.env['PATH']}` };
    return await this.around(() =>
      collect(spawn(path, args, { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'], ...VCAP })),
    );
  }
}

/** Hard links instead of copies: the kit never changes a download in place. What is there already stays. */
async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true }).catch(() => [])) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else await link(source, target).catch(() => undefined);
  }
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

function collect(child: ChildProcess, tell?: (text: string) => void): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let output = '';
    const add = (chunk: Buffer): void => {
      output += chunk.toString();
      tell?.(chunk.toString());
    };
    child.stdout?.on('data', add);
    child.stderr?.on('data', add);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** Resolves when something answers at `port`; fails when the child ends before. */
async function listening(port: number, child: ChildProcess): Promise<void> {
  for (const until = Date.now() + PATIENCE_MS; Date.now() < until; ) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended before it listened');
    const up = await fetch(`http://127.0.0.1:${port}/`, { redirect: 'manual' }).then(
      () => true,
      () => false,
    );
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it did not listen within ${PATIENCE_MS} ms`);
}
