/** Cargo.lock: what it says, where it no longer fits Cargo.toml, and which tools its crates are built with. */
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { BuildpackFailure, reasonOf } from '../../kit/index.ts';
import type { RustApp } from './app.ts';

/** One crate of the lock. */
export interface Locked {
  readonly name: string;
  readonly version: string;
  /** Undefined: part of the app. */
  readonly source: string | undefined;
}

const lockSchema = z.object({
  package: z
    .array(z.object({ name: z.string(), version: z.string(), source: z.string().optional() }))
    .default([]),
});

/** @throws BuildpackFailure for what is no lock. */
export function parseLock(text: string): Locked[] {
  try {
    return lockSchema
      .parse(parseToml(text))
      .package.map(({ name, version, source }) => ({ name, version, source }));
  } catch (error) {
    throw new BuildpackFailure(`Cargo.lock can't be read: ${reasonOf(error).split('\n')[0]}`, {
      cause: error,
      next: 'Take the last good one from version control, or make a new one with cargo generate-lockfile.',
    });
  }
}

/**
 * Told here, since `cargo --locked` only says that the lock would have to change.
 *
 * @throws BuildpackFailure naming what Cargo.toml has and the lock does not.
 */
export function demandLockFits({ packages, lock }: RustApp): void {
  const known = new Set(lock.map(({ name }) => name));
  const drift: string[] = [];
  for (const { file, name, version, wants } of packages) {
    const missing = wants.filter((crate) => !known.has(crate));
    if (missing.length > 0) drift.push(`${file} asks for ${missing.join(', ')}`);
    if (name === undefined) continue;
    const locked = lock.filter((it) => it.name === name && it.source === undefined);
    if (locked.length === 0) drift.push(`${file} is the package ${name}`);
    else if (version !== undefined && !locked.some((it) => it.version === version)) {
      drift.push(`${file} is ${name} ${version}, in the lock it is ${locked[0]?.version}`);
    }
  }
  if (drift.length === 0) return;
  throw new BuildpackFailure(`Cargo.lock does not fit:\n${drift.slice(0, 10).join('\n')}`, {
    next: 'Run cargo update --workspace (or any cargo build) and commit Cargo.lock.',
  });
}

/** Crates that are built with a tool of the stack: [crate, program, what to do without it]. */
const NEEDS: readonly (readonly [RegExp, string, string])[] = [
  [/^(cmake|libz-ng-sys)$/, 'cmake', 'choose a stack that has cmake'],
  [
    /^(openssl-sys|libpq|pq-sys|libpq-sys)$/,
    'pkg-config',
    'use its feature "vendored" or "bundled", or rustls',
  ],
  [/^prost-build$/, 'protoc', 'use protoc-bin-vendored, or commit what it generates'],
  [/^bindgen$/, 'clang', 'use a version of the crate that carries its bindings'],
  [/^openssl-src$/, 'perl', 'use rustls'],
  [/^nasm-rs$/, 'nasm', 'choose a stack that has nasm'],
];

/** Sentences about tools that crates of the lock may need and `has` denies. */
export async function lackingTools(
  lock: readonly Locked[],
  has: (program: string) => Promise<boolean>,
): Promise<string[]> {
  const found: string[] = [];
  for (const [crates, program, instead] of NEEDS) {
    const needing = lock.filter(({ name }) => crates.test(name)).map(({ name }) => name);
    if (needing.length === 0 || (await has(program))) continue;
    found.push(`${needing.join(', ')} may need ${program}, which this stack lacks: ${instead}.`);
  }
  return found;
}
