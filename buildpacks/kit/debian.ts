/**
 * The newest version of a package of a suite of Debian or Ubuntu, through the signed index: InRelease (signature) states the
 * sha256 of Packages.xz, which states the sha256 of the package.
 */
import { createReadStream } from 'node:fs';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Checksum, checksum, hashFile } from './checksum.ts';
import { compareDebianVersions } from './debian-version.ts';
import { download, fetchText, NotThere } from './download.ts';
import { succeeds } from './exec.ts';
import { decompress } from './extract.ts';
import { BuildpackFailure, errnoOf } from './failure.ts';
import type { Log } from './log.ts';
import { type Env, type RegistryName, registryUrl } from './mirrors.ts';

/** Whose suite it is. */
export type Distribution = 'debian' | 'ubuntu';

/** What to look for, and where files may be put meanwhile. */
export interface SuiteQuery {
  /** Code name, e.g. `bookworm`; its suites with updates are looked at as well. */
  readonly suite: string;
  /** Default Debian. */
  readonly distribution?: Distribution;
  readonly arch: 'x64' | 'arm64';
  readonly env: Env;
  readonly log: Log;
  readonly scratch: string;
}

/** A package as an index states it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly uri: string;
  readonly checksum: Checksum;
  /** As the index has it: `libc6 (>= 2.34), libssl3 | libssl1.1`. */
  readonly depends: string;
}

const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' } as const;
/** Where each keeps what came after the release, the name that it goes by, and its keys. */
const DISTRIBUTIONS = {
  debian: {
    title: 'Debian',
    mirror: 'STAGER_DEBIAN_MIRROR',
    places: [
      ['debian-security', '-security'],
      ['debian', ''],
    ],
    keyrings: ['/usr/share/keyrings/debian-archive-keyring.gpg', '/etc/apt/trusted.gpg'],
  },
  ubuntu: {
    title: 'Ubuntu',
    mirror: 'STAGER_UBUNTU_MIRROR',
    places: [
      ['ubuntu', '-updates'],
      ['ubuntu', ''],
    ],
    // Keys in /etc/apt are those of the stack's own distribution.
    keyrings: ['/usr/share/keyrings/ubuntu-archive-keyring.gpg'],
  },
} as const satisfies Record<Distribution, object>;

/** How a suite is called in messages: `Debian bookworm`. */
export const suiteName = ({
  distribution = 'debian',
  suite,
}: Pick<SuiteQuery, 'distribution' | 'suite'>): string => `${DISTRIBUTIONS[distribution].title} ${suite}`;
const INRELEASE_LIMIT = 4 * 1024 * 1024;

/** @throws BuildpackFailure when no suite has the package, or a signature or checksum is wrong. */
export async function newestInSuite(
  query: SuiteQuery & { readonly package: string },
): Promise<DebianPackage> {
  const found = (await allInSuite(query, (name) => name === query.package)).get(query.package);
  if (found !== undefined) return found;
  throw new BuildpackFailure(`${suiteName(query)} has no package ${query.package} for ${query.arch}`);
}

/** The newest version of each package that `wanted` takes. */
export async function allInSuite(
  query: SuiteQuery,
  wanted: (name: string) => boolean,
): Promise<Map<string, DebianPackage>> {
  await mkdir(query.scratch, { recursive: true });
  const best = new Map<string, DebianPackage>();
  for (const [registry, suffix] of DISTRIBUTIONS[query.distribution ?? 'debian'].places) {
    const dist = `${query.suite}${suffix}`;
    const index = await indexOf(registry, dist, query);
    if (index === undefined) continue;
    for (const found of await scan(index, registry, wanted)) {
      const known = best.get(found.name);
      if (known === undefined || compareDebianVersions(found.version, known.version) > 0) {
        best.set(found.name, found);
      }
    }
  }
  return best;
}

/** The verified Packages.xz; undefined when the mirror lacks the suite. */
async function indexOf(registry: RegistryName, dist: string, query: SuiteQuery): Promise<string | undefined> {
  const base = `${registryUrl(registry, query.env)}/dists/${dist}`;
  const release = await readRelease(base, dist, query);
  if (release === undefined) return undefined;
  const index = `main/binary-${ARCHITECTURES[query.arch]}/Packages.xz`;
  const stated = release.get(index);
  if (stated === undefined) throw new BuildpackFailure(`${base}/InRelease does not list ${index}`);
  const file = join(query.scratch, `${dist}.Packages.xz`);
  if (!(await isGood(file, stated))) {
    await download(`${base}/${index}`, file, { log: query.log, checksum: stated });
  }
  return file;
}

/** Verified InRelease as path → checksum; undefined when the mirror lacks the suite. */
async function readRelease(
  base: string,
  dist: string,
  query: SuiteQuery,
): Promise<Map<string, Checksum> | undefined> {
  let text: string;
  try {
    text = await fetchText(`${base}/InRelease`, INRELEASE_LIMIT);
  } catch (error) {
    if (error instanceof NotThere) return undefined;
    throw error;
  }
  const file = join(query.scratch, `${dist}.InRelease`);
  await writeFile(file, text);
  await verifySignature(file, query);
  const signed =
    /^-----BEGIN PGP SIGNED MESSAGE-----\n[\s\S]*?\n\n([\s\S]*?)\n-----BEGIN PGP SIGNATURE-----/.exec(text);
  const sums = /^SHA256:\n((?: .*\n?)+)/m.exec(signed?.[1] ?? '')?.[1] ?? '';
  const listed = new Map<string, Checksum>();
  for (const line of sums.split('\n')) {
    const [, hex = '', path = ''] = /^ ([0-9a-f]{64})\s+\d+\s+(\S+)$/.exec(line) ?? [];
    const stated = checksum('sha256', hex);
    if (stated !== undefined) listed.set(path, stated);
  }
  return listed;
}

/** Whether the scratch folder has the index from an earlier query. */
async function isGood(file: string, stated: Checksum): Promise<boolean> {
  try {
    return (await hashFile(file, stated.algorithm)) === stated.digest;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function verifySignature(file: string, query: SuiteQuery): Promise<void> {
  const { title, mirror, keyrings } = DISTRIBUTIONS[query.distribution ?? 'debian'];
  for (const keyring of keyrings) {
    const readable = await access(keyring).then(
      () => true,
      () => false,
    );
    if (!readable) continue;
    const good = await succeeds(['gpgv', '--keyring', keyring, file], query.env);
    if (good === true) return;
    if (good === false) {
      throw new BuildpackFailure(`the signature of ${title}'s index (${file}) is not valid with ${keyring}`, {
        next: `Check the mirror that ${mirror} names; nothing from it was used.`,
      });
    }
  }
  query.log.warning(`This stack has no gpgv and ${title} keyring: the index's signature was not checked.`);
}

/** The wanted ones of a Packages.xz, read as a stream: an index unpacks to 50 MB. */
async function scan(
  file: string,
  registry: string,
  wanted: (name: string) => boolean,
): Promise<DebianPackage[]> {
  const found: DebianPackage[] = [];
  let stanza: Record<string, string> = {};
  const close = (): void => {
    const { Package: name, Version, Filename, SHA256, Depends: depends = '' } = stanza;
    stanza = {};
    const stated = checksum('sha256', SHA256 ?? '');
    if (name === undefined || Version === undefined || Filename === undefined || stated === undefined) return;
    if (wanted(name))
      found.push({ name, depends, version: Version, uri: `${registry}:${Filename}`, checksum: stated });
  };
  const index = decompress(createReadStream(file), file);
  for await (const line of createInterface({ input: index })) {
    if (line === '') close();
    const [, key, value] = /^(Package|Version|Filename|SHA256|Depends): (.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) stanza[key] = value;
  }
  close();
  return found;
}
