/** Compiling: which packages, with which flags, and what they are called then. */
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  type Argv,
  BuildpackFailure,
  output,
  readText,
  registryUrl,
  run,
  type StepContext,
  succeeds,
  tellLockDrift,
} from '../../kit/index.ts';
import { anyGoFile, type GoApp } from './app.ts';
import { gitCredentials } from './private-modules.ts';
import { missingSums } from './sum-drift.ts';

/** Builds all packages into `bin/` of the app; names of the programs, the first is the web process. */
export async function buildGo(context: StepContext, app: GoApp): Promise<string[]> {
  const { log } = context;
  const env = await goEnv(context, app);
  const cwd = await workFolder(context, app, env);
  const packages = await packagesOf(app, { cwd, env, log });
  const flags = flagsOf(app, env);
  await tellSums(context, app, env);
  log.step(`Building ${packages.join(' ')}${app.vendored ? ' (dependencies of vendor/)' : ''}`);
  const argv: Argv = ['go', 'install', ...flags, ...packages];
  log.info(`$ ${argv.join(' ')}`);
  await run(argv, { cwd, env, next: await advice(app, env) });
  const listed = await output(['go', 'list', '-f', '{{if eq .Name "main"}}{{.Target}}{{end}}', ...packages], {
    cwd,
    env,
  });
  const programs = listed.stdout
    .split('\n')
    .filter(Boolean)
    .map((path) => basename(path));
  if (programs.length === 0) throw nothingToRun(packages);
  return programs;
}

/** Not with a workspace or `vendor/`, whose sums are elsewhere, and not where the go command may complete go.sum. */
async function tellSums(
  { log }: StepContext,
  app: GoApp,
  env: Record<string, string | undefined>,
): Promise<void> {
  if (app.mod === undefined || app.work !== undefined || app.vendored) return;
  if (/-mod=mod\b/.test(env['GOFLAGS'] ?? '')) return;
  const [mod = '', sum = ''] = [await readText(app.dir, 'go.mod'), await readText(app.dir, 'go.sum')];
  const missing = missingSums(mod, sum);
  tellLockDrift(log, { lock: 'go.sum', source: 'go.mod', missing, repair: 'go mod tidy' });
}

/** What the go command is run with: nothing is fetched behind the buildpack's back, both caches are kept. */
async function goEnv(context: StepContext, app: GoApp): Promise<Record<string, string | undefined>> {
  const { env, cacheDir, buildDir } = context;
  const flags = (env['GOFLAGS'] ?? '').split(/\s+/).filter(Boolean);
  const own = ['-modcacherw', ...(app.vendored ? ['-mod=vendor'] : [])];
  const extra = own.filter((flag) => !flags.some((it) => it.startsWith(flag.split('=')[0] ?? flag)));
  const compiler = (await succeeds([env['CC'] ?? 'gcc', '--version'], env)) === true;
  const mirror = registryUrl('goproxy', { ...env, GOPROXY: undefined });
  return {
    ...env,
    ...gitCredentials(env),
    GOTOOLCHAIN: 'local',
    GOROOT: undefined,
    GOPATH: join(cacheDir, 'go-path'),
    GOMODCACHE: join(cacheDir, 'go-mod'),
    GOCACHE: join(cacheDir, 'go-build'),
    GOBIN: join(buildDir, 'bin'),
    GOTELEMETRY: 'off',
    GOENV: 'off',
    GOFLAGS: [...flags, ...extra].join(' '),
    GOPROXY: env['GOPROXY'] || `${mirror},direct`,
    CGO_ENABLED: env['CGO_ENABLED'] ?? (compiler ? '1' : '0'),
  };
}

/** Without go.mod, the go command wants the app at its import path. */
async function workFolder(
  context: StepContext,
  app: GoApp,
  env: Record<string, string | undefined>,
): Promise<string> {
  if (app.mod !== undefined || app.work !== undefined) return app.dir;
  env['GO111MODULE'] = 'off';
  env['GOFLAGS'] = (env['GOFLAGS'] ?? '').replace(/-mod(=|cacherw)\S*/g, '').trim();
  const name = app.packageName ?? 'app';
  context.log.warning(
    `There is no go.mod: building ${name} as a plain folder of Go files.\nAdd one with: go mod init ${name}`,
  );
  const path = context.dep.at('go-path/src', name);
  env['GOPATH'] = context.dep.at('go-path');
  await mkdir(path, { recursive: true });
  await cp(app.dir, path, { recursive: true, verbatimSymlinks: true });
  return path;
}

/** What was asked for; else the package at the top; else every program there is. */
async function packagesOf(
  app: GoApp,
  io: {
    readonly cwd: string;
    readonly env: Record<string, string | undefined>;
    readonly log: StepContext['log'];
  },
): Promise<readonly string[]> {
  if (app.packages.length > 0) return app.packages;
  const files = (await readdir(io.cwd)).filter((name) => name.endsWith('.go') && !name.endsWith('_test.go'));
  const top = files.length === 0 ? undefined : await output(['go', 'list', '-f', '{{.Name}}', '.'], io);
  if (top?.stdout.trim() === 'main') return ['.'];
  const places =
    app.work === undefined
      ? ['./...']
      : app.work.uses.map((folder) => `./${folder.replace(/^\.\/?/, '')}/...`.replace('//', '/'));
  const all = await output(
    ['go', 'list', '-f', '{{if eq .Name "main"}}{{.ImportPath}}{{end}}', ...places],
    io,
  );
  const mains = all.stdout.split('\n').filter(Boolean);
  if (!all.ok && mains.length === 0) {
    throw new BuildpackFailure("the go command can't list the packages of the app; see its output above");
  }
  if (mains.length === 0) throw nothingToRun(places);
  io.log.info(
    `The top of the app is not a program; found ${mains.join(', ')}. GO_INSTALL_PACKAGE_SPEC names others.`,
  );
  return mains;
}

function flagsOf(app: GoApp, env: Record<string, string | undefined>): string[] {
  const given = (env['GOFLAGS'] ?? '').split(/\s+/);
  const has = (name: string) => given.some((flag) => flag.startsWith(name));
  const symbols = Object.entries(app.symbols).map(([name, value]) => `-X '${name}=${value}'`);
  return [
    '-tags=cloudfoundry',
    ...(has('-trimpath') ? [] : ['-trimpath']),
    ...(has('-buildmode') ? [] : ['-buildmode=pie']),
    ...(has('-buildvcs') ? [] : ['-buildvcs=false']),
    ...(symbols.length === 0 ? [] : [`-ldflags=${symbols.join(' ')}`]),
  ];
}

async function advice(app: GoApp, env: Record<string, string | undefined>): Promise<string> {
  const cgo = env['CGO_ENABLED'] === '0' ? await anyGoFile(app.dir, /^import "C"|^\s+"C"$/m) : undefined;
  if (cgo !== undefined) {
    return `${cgo} is compiled with C (cgo), and this stack has no C compiler: choose a stack that has gcc.`;
  }
  const lock = app.vendored ? 'run go mod vendor' : 'run go mod tidy';
  return `See the output above. If it is about a module that is missing or inconsistent, ${lock} and commit the result; private modules need GOPRIVATE and credentials (GO_GIT_CRED__HTTPS__<HOST>).`;
}

function nothingToRun(packages: readonly string[]): BuildpackFailure {
  return new BuildpackFailure(`no package main in ${packages.join(' ')}: there is no program to start`, {
    next: 'Name the package with the program, such as GO_INSTALL_PACKAGE_SPEC=./cmd/web.',
  });
}

/** Sources are not needed any more; templates and other files are kept. */
export async function removeSources(dir: string): Promise<void> {
  for (const name of ['vendor', 'go.mod', 'go.sum', 'go.work', 'go.work.sum']) {
    await rm(join(dir, name), { recursive: true, force: true });
  }
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.endsWith('.go')) await rm(join(entry.parentPath, entry.name));
  }
}
