/**
 * The buildpacks that ship with stager: installed on first use and brought up to date with stager, as a foundation's
 * system buildpacks are. What a person removed stays removed, what a person replaced or locked stays as it is.
 */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { namesIn } from '../../../machine/host/names-in.ts';
import { replaceFile } from '../../../machine/host/replace-file.ts';
import { checkedJson, readCheckedJson } from '../../../words/checked-json.ts';
import { isStagerError } from '../../../words/errors.ts';
import type { InstalledBuildpack } from './registry.ts';
import type { ResolveParts } from './resolve.ts';

/** Detect order: what knows an app by its own files first; a Procfile says least. */
const ORDER = [
  ...['staticfile', 'java', 'ruby', 'dotnet-core', 'nodejs', 'go', 'python', 'php', 'rust', 'nginx', 'hwc'],
  ...['procfile', 'binary'],
] as const;

/** name → digest that was installed from here. */
const marksSchema = z.object({ marks: z.record(z.string(), z.string()) });

/** What {@link installShipped} needs. */
export interface ShippedParts {
  /** Directory with one buildpack a directory; missing: nothing is installed. */
  readonly from: string;
  /** The registry's directory; remembers what was installed. */
  readonly dir: string;
  readonly buildpacks: ResolveParts;
  readonly signal: AbortSignal;
}

/** Installs or updates the shipped buildpacks. Safe beside other processes that do the same. */
export async function installShipped(parts: ShippedParts): Promise<void> {
  const markFile = join(parts.dir, 'shipped.json');
  // Without a list nothing was removed by a person: it was lost.
  const listed = await stat(join(parts.dir, 'index.json')).catch(() => undefined);
  const marks = listed === undefined ? {} : await readMarks(markFile);
  const shipped = new Set(await namesIn(parts.from));
  const edition = await editionOf(parts.from, shipped);
  if (marks['edition'] === edition) return;
  const next: Record<string, string> = { ...marks };
  for (const name of ORDER) {
    if (!shipped.has(name)) continue;
    const digest = await bring(name, marks[name], parts);
    if (digest !== undefined) next[name] = digest;
  }
  next['edition'] = edition;
  await mkdir(parts.dir, { recursive: true });
  await replaceFile(markFile, checkedJson({ marks: next }), { durable: true });
}

/** The digest that is installed from here now; undefined when it is not ours to change. */
async function bring(
  name: string,
  before: string | undefined,
  parts: ShippedParts,
): Promise<string | undefined> {
  const { registry, fetcher } = parts.buildpacks;
  const { signal } = parts;
  const installed = (await registry.list()).find((it) => it.name === name);
  const isOurs =
    installed === undefined ? before === undefined : isFromHere(installed, before) && !installed.locked;
  if (!isOurs) return before;
  const path = join(parts.from, name);
  const fetched = await fetcher.fetch({ kind: 'directory', key: sourceOf(name), path }, { signal });
  try {
    if (installed === undefined) await registry.add(name, fetched, { signal });
    else if (installed.digest !== fetched.lease.digest) await registry.update(name, { fetched, signal });
    return fetched.lease.digest;
  } catch (error) {
    // Another process was quicker.
    if (isStagerError(error, 'BUILDPACK_NAME_TAKEN')) return fetched.lease.digest;
    throw error;
  } finally {
    await fetched.lease.release();
  }
}

/** Where the marks were lost, by what it was made from. */
function isFromHere({ name, digest, source }: InstalledBuildpack, before: string | undefined): boolean {
  return before === undefined ? source === sourceOf(name) : digest === before;
}

const sourceOf = (name: string): string => `stager:${name}`;

/** Changes whenever a shipped buildpack was built again; while it stays, nothing else is looked at. */
async function editionOf(from: string, names: ReadonlySet<string>): Promise<string> {
  const parts = [...names]
    .toSorted()
    .map(async (name) => `${name}@${(await stat(join(from, name))).mtimeMs}`);
  return [from, ...(await Promise.all(parts))].join(' ');
}

async function readMarks(file: string): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return marksSchema.safeParse(readCheckedJson(text)).data?.marks ?? {};
}
