/** Building: which programs, with which flags, and which of them is the web process. */
import { chmod, copyFile, mkdir, readdir, rm, rmdir, stat, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  type Argv,
  BuildpackFailure,
  isThere,
  readText,
  type StepContext,
  succeeds,
} from '../../kit/index.ts';
import type { RustApp } from './app.ts';
import {
  CARGO_CACHES,
  cargoBuild,
  cargoEnv,
  cargoMetadata,
  commonFlags,
  forgetOwnPackages,
  type Metadata,
  type Program,
  pruneTarget,
} from './cargo.ts';
import { lackingTools } from './lock.ts';

/** Builds all programs into `bin/` of the app; their names, the web process first. */
export async function buildRust(context: StepContext, app: RustApp): Promise<string[]> {
  const { log, cacheDir, buildDir } = context;
  const env = await cargoEnv(context);
  const lacking = await lackingTools(
    app.lock,
    async (program) => (await succeeds([program, '--version'], env)) === true,
  );
  for (const line of lacking) log.info(line);
  const metadata = await cargoMetadata(app, env);
  await forgetOwnPackages(join(cacheDir, CARGO_CACHES[1]), metadata);
  const argv: Argv = ['cargo', 'build', ...flagsOf(app, metadata)];
  log.step(`Building${app.vendored ? ' (vendored crates, no network)' : ''}`);
  log.info(`$ ${argv.join(' ')}`);
  const next = `See the compiler's output above.${lacking.map((line) => `\n${line}`).join('')}\nIf it was killed for its memory, CARGO_BUILD_JOBS=1 needs less.`;
  const built = await cargoBuild(argv, { cwd: app.dir, env, next });
  const programs = inOrder(built.programs, metadata, app);
  await pruneTarget(join(cacheDir, CARGO_CACHES[1]), built.used);
  if (programs.length === 0) throw nothingToRun(metadata);
  await mkdir(join(buildDir, 'bin'), { recursive: true });
  for (const { name, path } of programs) {
    await rm(join(buildDir, 'bin', name), { force: true });
    await copyFile(path, join(buildDir, 'bin', name));
    await chmod(join(buildDir, 'bin', name), 0o755);
    const sizeMb = (await stat(path)).size / 1024 / 1024;
    const hint = app.strips || sizeMb < 5 ? '' : '; strip = true in [profile.release] makes it smaller';
    log.info(`bin/${name}: ${sizeMb.toFixed(1)} MB${hint}`);
  }
  return programs.map(({ name }) => name);
}

function flagsOf(app: RustApp, metadata: Metadata): string[] {
  const { flags, members, binaries } = app.options;
  const hasProfile = flags.some((flag) => /^(--release|-r|--profile(=.*)?)$/.test(flag));
  const owners = binaries.map((name) => {
    const owner = ownPackages(metadata).find(({ targets }) =>
      targets.some((it) => it.name === name && isProgram(it)),
    );
    if (owner !== undefined) return owner.name;
    throw new BuildpackFailure(`RUST_BINARIES has ${name}, and the app has no program of that name`, {
      next: `There are ${programNames(metadata).join(', ') || 'none'}.`,
    });
  });
  return [
    ...(hasProfile ? [] : ['--release']),
    ...commonFlags(app),
    ...[...new Set([...members, ...owners])].flatMap((name) => ['-p', name]),
    ...binaries.flatMap((name) => ['--bin', name]),
    ...flags,
  ];
}

type Owned = Metadata['packages'][number];

function ownPackages({ packages, workspace_members: members }: Metadata): Owned[] {
  return packages.filter(({ id }) => members.includes(id));
}

function isProgram({ kind }: { readonly kind: readonly string[] }): boolean {
  return kind.includes('bin');
}

function programNames(metadata: Metadata): string[] {
  return ownPackages(metadata).flatMap(({ targets }) => targets.filter(isProgram).map(({ name }) => name));
}

/** As RUST_BINARIES names them; else `default-run`, the one with its package's name, the rest as Cargo lists them. */
function inOrder(built: readonly Program[], metadata: Metadata, app: RustApp): Program[] {
  const listed = programNames(metadata);
  const asked = app.options.binaries;
  const rank = ({ name, packageId }: Program): number => {
    if (asked.length > 0) return asked.indexOf(name);
    const owner = metadata.packages.find(({ id }) => id === packageId);
    if (owner?.default_run === name) return 0;
    return name === owner?.name ? 1 : 2 + listed.indexOf(name);
  };
  const byName = new Map(built.map((program) => [program.name, program]));
  return [...byName.values()].sort((a, b) => rank(a) - rank(b));
}

function nothingToRun(metadata: Metadata): BuildpackFailure {
  const others = programNames(metadata);
  return new BuildpackFailure(
    'nothing was built that can be started: no package here has a src/main.rs or a [[bin]]',
    {
      next:
        others.length === 0
          ? 'A library alone can not be staged; add a program that uses it.'
          : `The workspace has ${others.join(', ')}: name what to build in RUST_BINARIES.`,
    },
  );
}

/** A target folder that came with the app is of no use here, and hundreds of MB. */
export async function dropPushedTarget({ buildDir, log }: StepContext, app: RustApp): Promise<void> {
  const path = join(app.dir, 'target');
  const marks = ['CACHEDIR.TAG', '.rustc_info.json', 'release', 'debug'];
  const isCargos = (await readdir(path).catch(() => [])).some((name) => marks.includes(name));
  if (!isCargos) return;
  log.warning(
    `${path.slice(buildDir.length + 1)}/ came with the app and is removed: put target/ into .cfignore.`,
  );
  await rm(path, { recursive: true });
}

/** Sources are not needed any more; templates and other files are kept. */
export async function dropSources(buildDir: string, app: RustApp): Promise<void> {
  const top = [
    'Cargo.lock',
    'rust-toolchain',
    'rust-toolchain.toml',
    '.cargo',
    ...(app.vendored ? ['vendor'] : []),
  ];
  for (const name of top) await rm(join(app.dir, name), { recursive: true, force: true });
  await dropBelow(buildDir);
}

/** Whether the folder is empty then, and was not before. */
async function dropBelow(dir: string): Promise<boolean> {
  const entries = await readdir(dir, { withFileTypes: true });
  let left = entries.length;
  for (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) {
      if (entry.name === 'node_modules' || !(await dropBelow(path))) continue;
      await rmdir(path);
      left--;
    } else if (entry.isFile() && (entry.name.endsWith('.rs') || entry.name === 'Cargo.toml')) {
      await rm(path);
      left--;
    }
  }
  return left === 0 && entries.length > 0;
}

/** Procfiles for Heroku's buildpack start `target/release/<name>`. */
export async function linkOldPlace(buildDir: string, programs: readonly string[]): Promise<void> {
  const procfile = (await readText(buildDir, 'Procfile')) ?? '';
  for (const name of programs) {
    const place = `target/release/${basename(name)}`;
    if (!procfile.includes(place) || (await isThere(join(buildDir, place)))) continue;
    await mkdir(join(buildDir, 'target/release'), { recursive: true });
    await symlink(`../../bin/${name}`, join(buildDir, place));
  }
}
