/** manifest.yml in Cloud Foundry's shape (buildpack-contracts.md 3.4), with a few keys of our own. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { satisfies } from 'semver';
import { z } from 'zod';
import { type Checksum, checksum, parseIntegrity } from './checksum.ts';
import { BuildpackFailure, errnoOf, reasonOf } from './failure.ts';
import { highestMatch, newestFirst, normaliseRange } from './versions.ts';

const version = z.union([z.string(), z.number()]).transform(String);
const stringMap = z.record(z.string(), z.string());

const dependencySchema = z
  .object({
    name: z.string().min(1),
    version,
    uri: z.string().min(1),
    sha256: z.string().optional(),
    integrity: z.string().optional(),
    cf_stacks: z.array(z.string()).optional(),
    file: z.string().optional(),
    arch: z.enum(['x64', 'arm64']).optional(),
    requires: stringMap.optional(),
    debian: z.object({ suite: z.string(), package: z.string() }).optional(),
    executable: z.array(z.string()).optional(),
    group: z.string().optional(),
    origin: z.string().optional(),
    libraries: z.array(z.string()).optional(),
  })
  .transform(({ sha256, integrity, ...rest }, context) => {
    const stated = sha256 === undefined ? parseIntegrity(integrity ?? '') : checksum('sha256', sha256);
    if (stated === undefined) {
      context.addIssue({ code: 'custom', message: 'needs a sha256 (hex) or an integrity (sha512-…)' });
      return z.NEVER;
    }
    return { ...rest, checksum: stated };
  });

const overrideSchema = z.object({
  default_versions: z.array(z.object({ name: z.string(), version })).default([]),
  dependencies: z.array(dependencySchema).default([]),
});

const manifestSchema = overrideSchema.extend({
  language: z.string().min(1),
  stack: z.string().optional(),
  dependency_deprecation_dates: z
    .array(
      z.object({
        name: z.string(),
        version_line: version,
        date: z.union([z.string(), z.date()]),
        link: z.string().optional(),
      }),
    )
    .default([]),
});

/** One thing that can be installed. */
export interface Dependency {
  readonly name: string;
  readonly version: string;
  readonly uri: string;
  readonly checksum: Checksum;
  readonly cf_stacks?: readonly string[] | undefined;
  /** Where an offline buildpack has it, relative to the buildpack or absolute. */
  readonly file?: string | undefined;
  readonly arch?: 'x64' | 'arm64' | undefined;
  readonly requires?: Readonly<Record<string, string>> | undefined;
  readonly debian?: { readonly suite: string; readonly package: string } | undefined;
  /** Patterns of unpacked files that are programs, where the archive does not say so. */
  readonly executable?: readonly string[] | undefined;
  /** Installed together with the others of this group. */
  readonly group?: string | undefined;
  /** Who made it, where that is not the project itself; shown when it is installed. */
  readonly origin?: string | undefined;
  /** Shared libraries in it: installed where a program needs one of them and the stack lacks it. */
  readonly libraries?: readonly string[] | undefined;
}

/** The parsed file. Written out, so that its types need no validator where the kit is copied to. */
export interface Manifest {
  readonly language: string;
  readonly stack?: string | undefined;
  readonly default_versions: readonly { readonly name: string; readonly version: string }[];
  readonly dependencies: readonly Dependency[];
  readonly dependency_deprecation_dates: readonly {
    readonly name: string;
    readonly version_line: string;
    readonly date: string | Date;
    readonly link?: string | undefined;
  }[];
}

/** What a dependency has to fit. */
export interface Fit {
  /** CF_STACK; entries without `cf_stacks` fit any. */
  readonly stack: string;
  readonly arch: string;
  /** Versions chosen so far, held against an entry's `requires`: `{ node: '24.21.0' }`. */
  readonly with?: Readonly<Record<string, string>>;
}

/**
 * Reads and checks `<root>/manifest.yml`.
 *
 * @throws BuildpackFailure naming every key that is wrong.
 */
export async function loadManifest(root: string): Promise<Manifest> {
  return (await readCompiled(root)) ?? (await readSource(root));
}

async function readSource(root: string): Promise<Manifest> {
  const path = join(root, 'manifest.yml');
  return parseWith(manifestSchema, await readYaml(path), path);
}

/** Not looked into again: it was checked when it was written, which takes longer than all else that a step without work does. */
const compiledSchema = z.object({ sha256: z.string(), checked: z.custom<Manifest>() });

/**
 * The manifest as JSON, for reading YAML of 3,000 lines takes longer than all else that a staging with nothing to do
 * does. `dist/manifest.json` counts as long as it was made of this manifest.yml.
 */
async function readCompiled(root: string): Promise<Manifest | undefined> {
  const text = await readFile(join(root, 'dist/manifest.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  // One that an older kit made has another form.
  const { data } = compiledSchema.safeParse(jsonOf(text));
  const source = await readFile(join(root, 'manifest.yml')).catch(() => '');
  const isOf = createHash('sha256').update(source).digest('hex') === data?.sha256;
  return isOf ? data?.checked : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * What {@link loadManifest} reads instead of manifest.yml; undefined where there is none.
 *
 * @throws BuildpackFailure naming every key that is wrong.
 */
export async function compileManifest(root: string): Promise<string | undefined> {
  const source = await readFile(join(root, 'manifest.yml')).catch(() => undefined);
  if (source === undefined) return undefined;
  const sha256 = createHash('sha256').update(source).digest('hex');
  return JSON.stringify({ sha256, checked: await readSource(root) });
}

/** The value of a YAML file, or undefined when there is none. */
export async function readYaml(path: string): Promise<unknown> {
  try {
    const text = textOf(await readFile(path));
    // Few apps have one, and loading the parser takes as long as the rest of a step with nothing to do.
    return (await import('yaml')).parse(text);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new BuildpackFailure(`${path} can't be read: ${reasonOf(error)}`, { cause: error });
  }
}

/** UTF-16 where it begins with its mark, as PowerShell's `>` writes it. */
function textOf(bytes: Buffer): string {
  const mark = bytes.toString('latin1', 0, 2);
  const encoding = mark === '\xff\xfe' ? 'utf-16le' : mark === '\xfe\xff' ? 'utf-16be' : 'utf-8';
  return new TextDecoder(encoding).decode(bytes);
}

function parseWith<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}`);
  throw new BuildpackFailure(`${path} is not a valid manifest:\n${issues.join('\n')}`);
}

/**
 * The manifest with one override.yml (3.6) applied: its defaults replace, its dependencies come on top.
 * A file without a key for this manifest's language changes nothing.
 */
export function applyOverride(manifest: Manifest, override: unknown, path: string): Manifest {
  const perLanguage = z.record(z.string(), z.unknown()).safeParse(override);
  const mine = perLanguage.success ? perLanguage.data[manifest.language] : undefined;
  if (mine === undefined || mine === null) return manifest;
  const parsed = parseWith(overrideSchema, mine, path);
  const replaced = new Set(parsed.default_versions.map(({ name }) => name));
  const kept = manifest.default_versions.filter(({ name }) => !replaced.has(name));
  const same = (a: Dependency, b: Dependency) => a.name === b.name && a.version === b.version;
  const known = manifest.dependencies.filter((old) => !parsed.dependencies.some((fresh) => same(old, fresh)));
  return {
    ...manifest,
    default_versions: [...kept, ...parsed.default_versions],
    dependencies: [...known, ...parsed.dependencies],
  };
}

/**
 * The range that `default_versions` gives for `name`.
 *
 * @throws BuildpackFailure unless there is exactly one.
 */
export function defaultRange(manifest: Manifest, name: string): string {
  const found = manifest.default_versions.filter((entry) => entry.name === name);
  const [only, second] = found;
  if (only !== undefined && second === undefined) return only.version;
  throw new BuildpackFailure(
    `manifest.yml has ${found.length} default versions for ${name}; exactly one is needed`,
  );
}

/** Versions of `name` that fit, highest first. */
export function versionsOf(manifest: Manifest, name: string, fit: Fit): string[] {
  return newestFirst([...new Set(candidates(manifest, name, fit).map((entry) => entry.version))]);
}

/**
 * The highest version of `name` in `range` that fits.
 *
 * @throws BuildpackFailure listing what exists when nothing matches.
 */
export function resolve(manifest: Manifest, name: string, range: string, fit: Fit): Dependency {
  const entries = candidates(manifest, name, fit);
  const versions = entries.map((entry) => entry.version);
  const chosen = versions.includes(range) ? range : highestMatch(range, versions);
  const found = entries.find((entry) => entry.version === chosen);
  if (found !== undefined) return found;
  const has = newestFirst([...new Set(versions)]).join(', ') || `none for stack ${fit.stack} on ${fit.arch}`;
  if (normaliseRange(range) === undefined) {
    throw new BuildpackFailure(`"${range}" is not a version range for ${name}. Available: ${has}`);
  }
  const libc = ruledOutByLibc(manifest, name, range, fit);
  throw new BuildpackFailure(`no ${name} version matches "${range}". Available: ${has}`, {
    next:
      libc ?? 'Ask for one of these versions, or use a buildpack whose manifest.yml has the one you need.',
  });
}

/** Everything of a group that fits: the packages that make up one runtime. Of each name the highest version. */
export function groupOf(manifest: Manifest, group: string, fit: Fit): Dependency[] {
  const members = manifest.dependencies.filter((entry) => entry.group === group && fits(entry, fit));
  return [...new Set(members.map(({ name }) => name))].flatMap((name) => {
    const [version] = newestFirst(members.filter((it) => it.name === name).map((it) => it.version));
    return members.find((entry) => entry.name === name && entry.version === version) ?? [];
  });
}

function candidates(manifest: Manifest, name: string, fit: Fit): Dependency[] {
  return manifest.dependencies.filter((entry) => entry.name === name && fits(entry, fit));
}

function fits(entry: Dependency, fit: Fit): boolean {
  const meets = Object.entries(entry.requires ?? {}).every(([other, range]) => {
    const chosen = fit.with?.[other];
    return chosen === undefined || satisfies(chosen, range);
  });
  const { arch, cf_stacks } = entry;
  return (
    meets && (arch ?? fit.arch) === fit.arch && (cf_stacks === undefined || cf_stacks.includes(fit.stack))
  );
}

/** The sentence about versions in `range` that only the stack's C library rules out. */
export function ruledOutByLibc(
  manifest: Manifest,
  name: string,
  range: string,
  fit: Fit,
): string | undefined {
  const { glibc, ...others } = fit.with ?? {};
  const entries = candidates(manifest, name, { ...fit, with: others });
  const version = highestMatch(
    range,
    entries.map((entry) => entry.version),
  );
  const needs = entries.find((entry) => entry.version === version)?.requires?.['glibc'];
  if (glibc === undefined || needs === undefined) return undefined;
  return `${name} ${version} needs glibc ${needs}; this stack has ${glibc.replace(/\.0$/, '')}.`;
}

/** The sentence about a version line that ends within 30 days of `now`, or has ended; undefined when none does. */
export function deprecation(manifest: Manifest, dependency: Dependency, now: Date): string | undefined {
  for (const line of manifest.dependency_deprecation_dates) {
    if (line.name !== dependency.name) continue;
    if (highestMatch(line.version_line, [dependency.version]) === undefined) continue;
    const end = new Date(line.date);
    const days = (end.getTime() - now.getTime()) / 86_400_000;
    if (days > 30) continue;
    const when = end.toISOString().slice(0, 10);
    const link = line.link === undefined ? '' : `\nSee: ${line.link}`;
    return days < 0
      ? `${line.name} ${line.version_line} reached its end of life on ${when}.${link}`
      : `${line.name} ${line.version_line} reaches its end of life on ${when}.${link}`;
  }
  return undefined;
}
