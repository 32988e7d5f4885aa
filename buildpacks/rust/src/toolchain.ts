/** Rust below deps/<idx>/rust: Debian's, with libraries that the stack lacks. Only the staging needs it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { allInSuite } from '../../kit/debian.ts';
import {
  BuildpackFailure,
  type Dependency,
  demandLibc,
  highestMatch,
  installLibraries,
  NotThere,
  output,
  type StepContext,
} from '../../kit/index.ts';
import { MAY_BE_PART, RUST_SUITE, rustPackages, rustVersion } from './debian-rust.ts';
import { demandNewEnough, type RustWish } from './version.ts';

/** The compiler, Cargo and their libraries; both have the same version. */
export type Toolchain = readonly [rust: Dependency, ...others: Dependency[]];

const TRIPLET = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';

/** @throws BuildpackFailure when what the app asks for can't be had. */
export function chooseRust(
  context: Pick<StepContext, 'choose' | 'chooseGroup' | 'log'>,
  wish: RustWish,
): Toolchain {
  const rust = context.choose('rust', wish.range);
  context.log.info(`Rust ${rust.version} (${wish.source})`);
  const warning = demandNewEnough(rust.version, wish);
  if (warning !== undefined) context.log.warning(warning);
  for (const line of wish.ignored) context.log.warning(`Ignored: ${line}`);
  return [rust, ...context.chooseGroup('rust', { rust: rust.version })];
}

/** What a build reads: no documentation, no debugger scripts, no library for tests. */
function place(path: string): string | undefined {
  const kept = /^usr\/(bin\/(rustc|cargo)|lib\/.+)$/.test(path) && !/\/(libtest-|rustlib\/etc\/)/.test(path);
  return kept ? path.slice('usr/'.length) : undefined;
}

/** Unpacks it and puts `cargo` and `rustc` on PATH. Returns what was installed. */
export async function installRust(context: StepContext, chosen: Toolchain, wish: RustWish): Promise<string> {
  const { dep, dependencies, env } = context;
  const home = dep.at('rust');
  const toolchain = await fetchAll(context, chosen, wish);
  await dependencies.installAll(toolchain, home, { pick: place });
  const [rust] = toolchain;
  const libraries = join(home, 'lib', TRIPLET);
  const missing = await installLibraries(context, { from: [join(home, 'bin'), libraries], into: libraries });
  await demandLibc(`Rust ${rust.version}`, [join(home, 'bin/rustc')]);
  for (const name of ['cargo', 'rustc']) await writeWrapper(dep.at('bin', name), name);
  const asked = await output([dep.at('bin/rustc'), '--version'], { cwd: '/', env });
  if (asked.ok) return asked.stdout.trim();
  const lacks = missing.length === 0 ? '' : `: it lacks ${missing.join(', ')}`;
  throw new BuildpackFailure(
    `Rust ${rust.version} does not run on stack ${env['CF_STACK'] ?? 'unknown'}${lacks}`,
    {
      next: 'See its output above.',
    },
  );
}

/** All or none, since only packages of one version fit together: when Debian has dropped one, all of its newest. */
async function fetchAll(context: StepContext, chosen: Toolchain, wish: RustWish): Promise<Toolchain> {
  try {
    for (const dependency of chosen) await context.dependencies.fetch(dependency);
    return chosen;
  } catch (error) {
    if (!(error instanceof NotThere) || error.status !== 404) throw error;
  }
  context.log.warning(
    `The mirror no longer has Rust ${chosen[0].version} of Debian ${RUST_SUITE}; taking its newest as the signed index states it.`,
  );
  return newest(context, wish);
}

async function newest({ cacheDir, env, log }: StepContext, wish: RustWish): Promise<Toolchain> {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const scratch = join(cacheDir, 'debian-index');
  const index = await allInSuite({ suite: RUST_SUITE, arch, env, log, scratch }, (name) =>
    MAY_BE_PART.test(name),
  );
  const [rust, ...others] = rustPackages(index).flatMap((name): Dependency[] => {
    const found = index.get(name);
    return found === undefined ? [] : [{ ...found, version: rustVersion(found.version) }];
  });
  if (rust === undefined) throw new BuildpackFailure(`Debian ${RUST_SUITE} has no package rustc-web`);
  if (wish.range !== undefined && highestMatch(wish.range, [rust.version]) === undefined) {
    throw new BuildpackFailure(`no rust version matches "${wish.range}". Available: ${rust.version}`);
  }
  demandNewEnough(rust.version, wish);
  return [rust, ...others];
}

/** Only they are to see their libraries. */
async function writeWrapper(path: string, name: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const script = `#!/bin/sh
here=$(cd "$(dirname "$0")/../rust" && pwd -P)
LD_LIBRARY_PATH="$here/lib/${TRIPLET}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/bin/${name}" "$@"
`;
  await writeFile(path, script, { mode: 0o755 });
}
