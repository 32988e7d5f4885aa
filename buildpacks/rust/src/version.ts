/** Which Rust: what says so, and whether it can be had. There is one version at a time, so a wish is mostly compared. */
import { z } from 'zod';
import { BuildpackFailure, readText, readToml } from '../../kit/index.ts';
import type { RustApp } from './app.ts';

/** A wish and where it comes from. */
export interface RustWish {
  /** A range that has to be met: only where somebody names it for this buildpack. */
  readonly range: string | undefined;
  /** What the app was written with; a newer one builds it too. */
  readonly prefers: string | undefined;
  readonly source: string;
  /** The lowest version that any package builds with, and whose it is. */
  readonly atLeast: { readonly version: string; readonly file: string } | undefined;
  /** Things of rust-toolchain.toml that are not done. */
  readonly ignored: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

const toolchainSchema = z.object({
  toolchain: z.object({
    channel: z.string().optional(),
    path: z.string().optional(),
    targets: z.array(z.string()).optional(),
  }),
});

/** First that says something wins: RUST_VERSION, BP_RUST_VERSION, rust-toolchain.toml, rust-toolchain, RustConfig. */
export async function rustWish(app: Pick<RustApp, 'dir' | 'packages'>, env: Env): Promise<RustWish> {
  const lowest = app.packages.flatMap(({ atLeast, file }) =>
    atLeast === undefined ? [] : [{ version: atLeast, file }],
  );
  const [atLeast] = lowest.sort((a, b) => compare(b.version, a.version));
  for (const name of ['RUST_VERSION', 'BP_RUST_VERSION']) {
    const range = env[name]?.trim() ?? '';
    if (range === '') continue;
    const exact = /^\d+\.\d+$/.test(range) ? `${range}.x` : range;
    return {
      range: range === 'stable' ? '*' : exact,
      prefers: undefined,
      source: name,
      atLeast,
      ignored: [],
    };
  }
  const file = await toolchainFile(app.dir);
  if (file === undefined) {
    const source = 'nothing asks for one: the default';
    return { range: undefined, prefers: undefined, source, atLeast, ignored: [] };
  }
  return { range: undefined, prefers: channelOf(file), source: file.name, atLeast, ignored: file.ignored };
}

interface ToolchainFile {
  readonly name: string;
  readonly channel: string;
  readonly ignored: readonly string[];
}

async function toolchainFile(dir: string): Promise<ToolchainFile | undefined> {
  // The one without an ending wins for rustup, and may have either form.
  for (const name of ['rust-toolchain', 'rust-toolchain.toml']) {
    const text = (await readText(dir, name))?.trim();
    if (text === undefined) continue;
    if (name === 'rust-toolchain' && !text.includes('[')) return { name, channel: text, ignored: [] };
    const { data } = toolchainSchema.safeParse(await readToml(dir, name));
    if (data === undefined) {
      throw new BuildpackFailure(`${name} has no [toolchain] with a channel`, {
        next: 'Use something like: [toolchain], and in the next line channel = "stable".',
      });
    }
    const { path, channel, targets = [] } = data.toolchain;
    if (path !== undefined) {
      throw new BuildpackFailure(
        `${name} names the toolchain of a folder (${path}), which the stack does not have`,
        {
          next: 'Name a channel instead, such as "stable".',
        },
      );
    }
    const others = targets.filter((target) => target !== rustTarget());
    const ignored =
      others.length === 0 ? [] : [`targets ${others.join(', ')} of ${name}: this builds for ${rustTarget()}`];
    return { name, channel: channel ?? 'stable', ignored };
  }
  const heroku = /^\s*(?:export\s+)?VERSION=["']?([^"'\s#]+)/m.exec(
    (await readText(dir, 'RustConfig')) ?? '',
  );
  return heroku?.[1] === undefined ? undefined : { name: 'RustConfig', channel: heroku[1], ignored: [] };
}

/** @throws BuildpackFailure for channels that no registry has. */
function channelOf({ name, channel }: ToolchainFile): string | undefined {
  // rustup's names may end with a date and a machine: 1.96.0-x86_64-unknown-linux-gnu.
  const [, base = ''] = /^v?([\w.]+?)(?:-.*)?$/.exec(channel) ?? [];
  if (base === 'stable') return undefined;
  if (/^\d+\.\d+(\.\d+)?$/.test(base) && !/-(nightly|beta)/.test(channel)) return base;
  if (base === 'nightly' || base === 'beta') {
    throw new BuildpackFailure(`${name} asks for ${channel}, and only stable versions can be had here`, {
      next: 'Name a stable version. If the app needs unstable features, build it elsewhere and stage the program with the binary buildpack.',
    });
  }
  throw new BuildpackFailure(`${name} asks for "${channel}", which is no version of Rust`, {
    next: 'Use stable or a version such as 1.90.',
  });
}

/**
 * Held against the version that was chosen.
 *
 * @returns What to warn of.
 * @throws BuildpackFailure when it is too old for the app.
 */
export function demandNewEnough(version: string, { atLeast, prefers, source }: RustWish): string | undefined {
  const next =
    'Lower it if the code allows, or use a newer version of this buildpack: npm run buildpacks:update.';
  if (atLeast !== undefined && compare(version, atLeast.version) < 0) {
    throw new BuildpackFailure(
      `rust-version in ${atLeast.file} is ${atLeast.version}. Available: ${version}`,
      { next },
    );
  }
  if (prefers === undefined || samePatch(version, prefers)) return undefined;
  if (compare(version, prefers) < 0) {
    throw new BuildpackFailure(`${source} asks for Rust ${prefers}. Available: ${version}`, { next });
  }
  return `${source} asks for Rust ${prefers}; this is ${version}, which builds code of older versions.\nRUST_VERSION=${prefers} insists on it.`;
}

function samePatch(version: string, wish: string): boolean {
  return version === wish || version.startsWith(`${wish}.`);
}

/** By their numbers; what is missing counts as 0. */
function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)));
  for (const index of [0, 1, 2]) {
    const by = (left?.[index] || 0) - (right?.[index] || 0);
    if (by !== 0) return by;
  }
  return 0;
}

/** What Rust calls this machine. */
export function rustTarget(): string {
  return `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`;
}
