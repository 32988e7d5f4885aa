/** Running Cargo: its environment and caches, what it knows of the app, and a compiler of C for linking. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  type Argv,
  BuildpackFailure,
  output,
  registryUrl,
  type StepContext,
  succeeds,
} from '../../kit/index.ts';
import type { RustApp } from './app.ts';
import { rustTarget } from './version.ts';

/** An environment that is passed to tools. */
export type CargoEnv = Record<string, string | undefined>;

/** Where Cargo keeps what it fetched and built, below CACHE_DIR. */
export const CARGO_CACHES = ['cargo-home', 'cargo-target'] as const;

const OUTPUT_LIMIT = 256 * 1024 * 1024;

/** One package of the app or of the lock, as Cargo resolves them. */
const metadataSchema = z.object({
  packages: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      source: z.string().nullable(),
      default_run: z.string().nullish(),
      targets: z.array(z.object({ name: z.string(), kind: z.array(z.string()) })),
    }),
  ),
  workspace_default_members: z.array(z.string()).optional(),
  workspace_members: z.array(z.string()),
});

/** What `cargo metadata` says. */
export type Metadata = z.infer<typeof metadataSchema>;

/** Nothing is fetched behind the buildpack's back but crates; both caches are kept. */
export async function cargoEnv(context: Pick<StepContext, 'env' | 'cacheDir'>): Promise<CargoEnv> {
  const { env, cacheDir } = context;
  const home = join(cacheDir, CARGO_CACHES[0]);
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'config.toml'), mirrorConfig(registryUrl('cargo', env)));
  return {
    ...env,
    ...(await linker(env)),
    CARGO_HOME: home,
    CARGO_TARGET_DIR: join(cacheDir, CARGO_CACHES[1]),
    CARGO_INCREMENTAL: '0',
    CARGO_TERM_PROGRESS_WHEN: 'never',
    // The company's CA, where only a variable names it.
    CARGO_HTTP_CAINFO: env['CARGO_HTTP_CAINFO'] ?? env['SSL_CERT_FILE'],
    RUSTUP_TOOLCHAIN: undefined,
  };
}

/** Below what the app's own `.cargo/config.toml` says. */
function mirrorConfig(mirror: string): string {
  if (mirror === registryUrl('cargo', {})) return '';
  if (mirror.endsWith('.git')) return replacement(mirror);
  return replacement(`${mirror.startsWith('sparse+') ? '' : 'sparse+'}${mirror}/`);
}

function replacement(url: string): string {
  return `[source.crates-io]\nreplace-with = "mirror"\n\n[source.mirror]\nregistry = ${JSON.stringify(url)}\n`;
}

/** @throws BuildpackFailure when the stack has no compiler of C: rustc links with it. */
async function linker(env: CargoEnv): Promise<CargoEnv> {
  const variable = `CARGO_TARGET_${rustTarget().toUpperCase().replaceAll('-', '_')}_LINKER`;
  if ((env[variable] ?? '') !== '' || /\blinker=/.test(env['RUSTFLAGS'] ?? '')) return {};
  for (const program of ['cc', 'gcc', 'clang']) {
    if ((await succeeds([program, '--version'], env)) !== true) continue;
    return program === 'cc' ? {} : { [variable]: program, CC: env['CC'] ?? program };
  }
  throw new BuildpackFailure(
    `stack ${env['CF_STACK'] ?? 'unknown'} has no C compiler, which Rust links programs with`,
    {
      next: 'Choose a stack that has gcc or clang (stager stack list), or build elsewhere and stage the program with the binary buildpack.',
    },
  );
}

/** How every command begins. */
export function commonFlags(app: RustApp): string[] {
  const { flags } = app.options;
  return [
    ...(flags.includes('--locked') || flags.includes('--frozen') ? [] : ['--locked']),
    ...(app.vendored && !flags.includes('--offline') && !flags.includes('--frozen') ? ['--offline'] : []),
  ];
}

/** @throws BuildpackFailure when crates can't be found or the lock would have to change. */
export async function cargoMetadata(app: RustApp, env: CargoEnv): Promise<Metadata> {
  const own = app.options.flags.filter((flag) => /^--(locked|frozen|offline)$/.test(flag));
  const argv: Argv = [
    ...(['cargo', 'metadata', '--format-version', '1', '--filter-platform', rustTarget()] as const),
    ...[...commonFlags(app), ...own],
  ];
  const asked = await output(argv, { cwd: app.dir, env, limit: OUTPUT_LIMIT });
  if (asked.ok) return metadataSchema.parse(JSON.parse(asked.stdout));
  throw new BuildpackFailure('cargo can not put together the crates of Cargo.lock; see its output above', {
    next: app.vendored
      ? 'Crates come from the vendor folder only: run cargo vendor and stage all of it. If the lock would have to change, run cargo update --workspace and commit Cargo.lock.'
      : 'If the lock would have to change, run cargo update --workspace and commit Cargo.lock. If crates can not be downloaded, check network, proxy (https_proxy) and mirror (STAGER_CARGO_REGISTRY, or [source] in .cargo/config.toml); CARGO_REGISTRIES_<NAME>_TOKEN is for private registries; cargo vendor needs no network.',
  });
}

const messageSchema = z.object({
  reason: z.literal('compiler-artifact'),
  package_id: z.string(),
  target: z.object({ name: z.string(), kind: z.array(z.string()) }),
  executable: z.string(),
});

/** A program that Cargo has built. */
export interface Program {
  readonly name: string;
  readonly path: string;
  readonly packageId: string;
}

/** What `cargo build` made. */
export interface Built {
  readonly programs: readonly Program[];
  /** Of all that was used, by the 16 digits that Cargo puts behind its names. */
  readonly used: ReadonlySet<string>;
}

/** Runs `cargo build`; its own lines go to the log. */
export async function cargoBuild(
  argv: Argv,
  io: { readonly cwd: string; readonly env: CargoEnv; readonly next: string },
): Promise<Built> {
  const built = await output([...argv, '--message-format=json-render-diagnostics'], {
    ...io,
    limit: OUTPUT_LIMIT,
  });
  if (!built.ok) throw new BuildpackFailure(`${argv.join(' ')} failed`, { next: io.next });
  const programs = built.stdout.split('\n').flatMap((line) => {
    if (!line.includes('"executable":"')) return [];
    const { data } = messageSchema.safeParse(JSON.parse(line));
    if (data === undefined || !data.target.kind.includes('bin')) return [];
    return [{ name: data.target.name, path: data.executable, packageId: data.package_id }];
  });
  const used = new Set(
    [...built.stdout.matchAll(/-([0-9a-f]{16})(?=[./"])/g)].map(([, digits = '']) => digits),
  );
  return { programs, used };
}

/**
 * Makes Cargo build the app's own packages again. It compares times of files, and those of an app say nothing: an older
 * file may be the one that changed.
 */
export async function forgetOwnPackages(targetDir: string, { packages }: Metadata): Promise<void> {
  const own = new Set(packages.filter(({ source }) => source === null).map(({ name }) => name));
  for (const folder of await profileFolders(targetDir)) {
    const prints = join(folder, '.fingerprint');
    for (const name of await readdir(prints).catch(() => [])) {
      if (own.has(name.replace(/-[0-9a-f]{16}$/, ''))) await rm(join(prints, name), { recursive: true });
    }
  }
}

/** Removes what the last build did not use, of earlier locks and compilers: Cargo itself never does. */
export async function pruneTarget(targetDir: string, used: ReadonlySet<string>): Promise<void> {
  for (const folder of await profileFolders(targetDir)) {
    for (const part of ['.fingerprint', 'build', 'deps']) {
      for (const name of await readdir(join(folder, part)).catch(() => [])) {
        const digits = /-([0-9a-f]{16})(\.|$)/.exec(name)?.[1];
        if (digits === undefined || used.has(digits)) continue;
        await rm(join(folder, part, name), { recursive: true });
      }
    }
  }
}

/** `target/release` and `target/<machine>/release`. */
async function profileFolders(targetDir: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(targetDir).catch(() => [])) {
    found.push(join(targetDir, name));
    for (const below of await readdir(join(targetDir, name)).catch(() => []))
      found.push(join(targetDir, name, below));
  }
  return found;
}
