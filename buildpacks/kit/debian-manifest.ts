/** Entries of a manifest for packages of Debian, with the libraries that they need. For the tools that write manifests. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { allInSuite, type DebianPackage, type Distribution, suiteName } from './debian.ts';
import { download } from './download.ts';
import { unpack } from './extract.ts';
import { librariesOnly } from './libraries.ts';
import { createLog } from './log.ts';
import { locate } from './mirrors.ts';

const log = createLog((line) => console.error(line));
const previous = z
  .object({ dependencies: z.array(z.object({ uri: z.string(), libraries: z.array(z.string()).optional() })) })
  .catch({ dependencies: [] });
/** What any stack has. */
const STACK = /^(libc6|libgcc-s1|libstdc\+\+6)$/;

/** What {@link debianEntries} looks for. */
export interface DebianWish {
  readonly suite: string;
  /** Default Debian. */
  readonly distribution?: Distribution;
  /** Default both; Ubuntu has its files for arm64 elsewhere. */
  readonly machines?: readonly ('x64' | 'arm64')[];
  /** These get entries of their own. */
  readonly packages: readonly string[];
  /** The manifest so far: what libraries a package has is only known once it was downloaded. */
  readonly manifest: string;
  /** Libraries of what these packages depend on get entries too. */
  readonly withLibraries?: boolean;
  /** More keys for the packages. */
  readonly more?: (name: string) => object;
}

/** Entries for each kind of machine, from the suite's signed index. */
export async function debianEntries(wish: DebianWish): Promise<object[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'debian-index-'));
  const old = previous.parse(parse(await readFile(wish.manifest, 'utf8').catch(() => '')));
  const entries: object[] = [];
  try {
    for (const arch of wish.machines ?? (['x64', 'arm64'] as const)) {
      const { suite, distribution = 'debian' } = wish;
      const query = { suite, distribution, arch, env: process.env, log, scratch: join(scratch, arch) };
      const index = await allInSuite(query, () => true);
      const base = (found: DebianPackage) => ({
        name: found.name,
        version: threeParts(found.version),
        uri: found.uri,
        sha256: found.checksum.digest,
        arch,
        debian: { suite: wish.suite, package: found.name },
      });
      for (const name of wish.packages) {
        const found = index.get(name);
        if (found === undefined) throw new Error(`${suiteName(query)} has no package ${name} for ${arch}`);
        entries.push({ ...base(found), ...wish.more?.(name) });
      }
      if (wish.withLibraries !== true) continue;
      for (const found of closure(index, wish.packages)) {
        const known = old.dependencies.find(({ uri }) => uri === found.uri)?.libraries;
        const all = known ?? (await librariesOf(found, scratch));
        // libz.so.1.2.13 is only where libz.so.1 leads.
        const libraries = all.filter((name) => !all.some((other) => name.startsWith(`${other}.`)));
        if (libraries.length > 0) entries.push({ ...base(found), libraries });
      }
    }
  } finally {
    await rm(scratch, { recursive: true });
  }
  return entries;
}

/** `2.3.15` of `1:2.3.15~rc-1+deb12u1`, `3.1.2` of `3.1.7+really3.1.2-0`. */
function threeParts(version: string): string {
  const upstream = /^(?:\d+:)?(?:.*\+really)?(\d+(?:\.\d+)*)/.exec(version)?.[1] ?? '0';
  return [...upstream.split('.'), '0', '0'].slice(0, 3).join('.');
}

/** Libraries that the packages depend on, directly or not. */
function closure(index: ReadonlyMap<string, DebianPackage>, roots: readonly string[]): DebianPackage[] {
  const seen = new Set(roots);
  const found: DebianPackage[] = [];
  const todo = [...roots];
  for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
    const entry = index.get(name);
    if (entry === undefined) continue;
    if (!roots.includes(name)) found.push(entry);
    for (const part of entry.depends.split(',')) {
      const [first = ''] = part.trim().split(/[\s|(:]/);
      if (!/^lib|^zlib/.test(first) || seen.has(first) || STACK.test(first)) continue;
      seen.add(first);
      todo.push(first);
    }
  }
  return found;
}

/** Names of the shared libraries in a package. */
async function librariesOf(found: DebianPackage, scratch: string): Promise<string[]> {
  const file = join(scratch, basename(found.uri));
  const into = `${file}.files`;
  await download(locate(found.uri, process.env), file, { log, checksum: found.checksum });
  await unpack(file, into, { pick: librariesOnly });
  const names = await readdir(into);
  for (const path of [file, into]) await rm(path, { recursive: true });
  return names.sort();
}
