/** Puts the dependencies of a manifest into the package of an offline buildpack. */

import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Registries } from '../config/registries.ts';
import { fileChecksum } from '../machine/host/file-digest.ts';
import { type DownloadPorts, download } from '../staging/buildpack/acquire/download.ts';
import { redactUrls } from '../staging/logs/redact.ts';
import { StagerError } from '../words/errors.ts';
import { parseSha256 } from '../words/ids.ts';
import { statedChecksum } from './checksum.ts';
import type { BuildpackManifest, ManifestDependency } from './manifest.ts';

/** Ports of {@link fetchDependencies}. */
export interface OfflinePorts {
  readonly downloads: DownloadPorts;
  readonly registries: Registries;
  readonly onFetched?: (dependency: {
    readonly name: string;
    readonly version: string;
    readonly sizeBytes: number;
  }) => void;
}

/** A file of the package with the place of its verified copy. */
export interface DependencyFile {
  readonly path: string;
  readonly hostPath: string;
  /** Hex. */
  readonly sha256: string;
}

/**
 * Downloads every dependency and writes its place into the manifest's `file`.
 *
 * @throws StagerError BUILDPACK_MALFORMED for an entry without name, uri or checksum, BUILDPACK_DOWNLOAD_FAILED,
 * BUILDPACK_CHECKSUM_MISMATCH.
 */
export async function fetchDependencies(
  manifest: BuildpackManifest,
  ports: OfflinePorts,
): Promise<readonly DependencyFile[]> {
  const files = new Map<string, DependencyFile>();
  for (const dependency of manifest.dependencies) {
    const file = await fetchOne(dependency, ports);
    dependency.node.set('file', file.path);
    files.set(file.path, file);
  }
  return [...files.values()];
}

async function fetchOne(dependency: ManifestDependency, ports: OfflinePorts): Promise<DependencyFile> {
  const { name, version = '', uri } = dependency;
  const checksum = statedChecksum(dependency);
  const line = `manifest.yml line ${dependency.line}`;
  if (name === undefined || uri === undefined) throw malformed(`${line}: a dependency needs name and uri`);
  if (checksum === undefined) throw malformed(`${line}: ${name} ${version} has no whole sha256 or integrity`);
  const address = (await pypiAddress(uri, ports)) ?? addressOf(uri, ports.registries);
  const got = await fetchVerified({ name, version, address, checksum }, ports);
  const directory = createHash('md5').update(uri).digest('hex');
  return {
    path: `dependencies/${directory}/${fileNameOf(address.url)}`,
    hostPath: got.path,
    sha256: got.sha256,
  };
}

/** One file whose checksum is known, and where it is. */
interface KnownFile {
  readonly name: string;
  readonly version: string;
  readonly address: Address;
  readonly checksum: { readonly algorithm: string; readonly digest: string };
}

async function fetchVerified({ name, version, address, checksum }: KnownFile, ports: OfflinePorts) {
  const sha256 = checksum.algorithm === 'sha256' ? parseSha256(checksum.digest) : undefined;
  const got = await download(
    {
      key: `${name} ${version} (${redactUrls(address.url)})`,
      address,
      ...(sha256 !== undefined && { sha256 }),
    },
    ports.downloads,
  );
  if (sha256 === undefined) {
    const actual = await fileChecksum(got.path, checksum.algorithm, ports.downloads.signal);
    if (actual !== checksum.digest) throw mismatch(`${name} ${version}`, checksum.digest, actual);
  }
  ports.onFetched?.({ name, version, sizeBytes: got.sizeBytes });
  return got;
}

/** The archive of a package of the npm registry, by its sha512. @throws StagerError those of downloads. */
export async function fetchNpmPackage(
  { name, version, sha512 }: { readonly name: string; readonly version: string; readonly sha512: string },
  ports: OfflinePorts,
): Promise<string> {
  const address = addressOf(`npm:${name}@${version}`, ports.registries);
  const checksum = { algorithm: 'sha512', digest: sha512 };
  return (await fetchVerified({ name, version, address, checksum }, ports)).path;
}

interface Address {
  readonly url: string;
  readonly credentials?: { readonly user: string; readonly password: string };
}

/** https URLs as they are; `npm:name@version` and `debian:path` are the kit's way to name a registry's package. */
export function addressOf(uri: string, registries: Registries): Address {
  const [, scheme = '', rest = ''] = /^([a-z-]+):(.*)$/s.exec(uri) ?? [];
  if (scheme === 'debian' || scheme === 'debian-security' || scheme === 'ubuntu')
    return { url: `${registries[scheme]}/${rest}` };
  if (scheme === 'npm') {
    const [, name = '', version = ''] = /^((?:@[\w.-]+\/)?[\w.-]+)@([\w.+-]+)$/.exec(rest) ?? [];
    if (name !== '') return { url: `${registries.npm}/${name}/-/${basename(name)}-${version}.tgz` };
  }
  if (scheme === 'maven' || scheme === 'goproxy') {
    const path = scheme === 'maven' ? mavenPath(rest) : goPath(rest);
    if (path !== undefined) return urlWithCredentials(`${registries[scheme]}/${path}`);
  }
  if ((scheme !== 'https' && scheme !== 'http') || !URL.canParse(uri)) {
    throw malformed(`${redactUrls(uri)} is not an https URL and not of a form that docs/kit.md lists`);
  }
  return urlWithCredentials(uri);
}

function urlWithCredentials(address: string): Address {
  const url = new URL(address);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  if (username === '' && password === '') return { url: url.href };
  return {
    url: url.href,
    credentials: { user: decodeURIComponent(username), password: decodeURIComponent(password) },
  };
}

/** Where a file of a package index lies, only the project's page of links says. */
async function pypiAddress(uri: string, ports: OfflinePorts): Promise<Address | undefined> {
  const [, project, file] = /^pypi:([\w.-]+)@[\w.+!-]+\/([\w.+-]+)$/.exec(uri) ?? [];
  if (project === undefined) return undefined;
  const page = `${ports.registries.pypi}/${project.toLowerCase().replace(/[-_.]+/g, '-')}/`;
  const { http, signal } = ports.downloads;
  const html = await http.get(page, { signal, responseType: 'text' }).text();
  for (const [, href = ''] of html.matchAll(/<a\s[^>]*?href\s*=\s*["']([^"']+)["']/gi)) {
    const link = href.replaceAll('&amp;', '&').replace(/#.*$/, '');
    if (URL.canParse(link, page) && basename(new URL(link, page).pathname) === file) {
      return urlWithCredentials(new URL(link, page).href);
    }
  }
  throw new StagerError('BUILDPACK_DOWNLOAD_FAILED', `${redactUrls(page)} does not list ${file}`, {
    next: 'Check the mirror (PIP_INDEX_URL, STAGER_PYPI_INDEX) and the file name in manifest.yml.',
  });
}

/** Path below a Maven repository of `group:artifact:version[:classifier][@extension]`. */
function mavenPath(spec: string): string | undefined {
  const form = /^([\w.-]+):([\w.-]+):([\w.+-]+)(?::([\w.-]+))?(?:@([\w.]+))?$/;
  const [, group, artifact, version, classifier, extension = 'jar'] = form.exec(spec) ?? [];
  if (group === undefined) return undefined;
  const tail = classifier === undefined ? '' : `-${classifier}`;
  return `${group.replaceAll('.', '/')}/${artifact}/${version}/${artifact}-${version}${tail}.${extension}`;
}

/** Path below a module proxy of `module@version`; capitals are written as `!x` there. */
function goPath(spec: string): string | undefined {
  const [, module, version = ''] = /^([\w.~/-]+)@([\w.+-]+)$/.exec(spec) ?? [];
  const escaped = (text: string) => text.replace(/[A-Z]/g, (capital) => `!${capital.toLowerCase()}`);
  return module === undefined ? undefined : `${escaped(module)}/@v/${escaped(version)}.zip`;
}

function fileNameOf(url: string): string {
  const name = decodeURIComponent(basename(new URL(url).pathname));
  return /^[^/\0]+$/.test(name) && name !== '.' && name !== '..' ? name : 'file';
}

function malformed(message: string): StagerError {
  return new StagerError('BUILDPACK_MALFORMED', message, {
    next: 'Correct manifest.yml; stager buildpack lint shows all of it.',
  });
}

function mismatch(what: string, expected: string, actual: string): StagerError {
  return new StagerError(
    'BUILDPACK_CHECKSUM_MISMATCH',
    `${what} hashes to ${actual}, the manifest says ${expected}`,
    {
      next: 'Check the mirror or proxy in between, then the manifest.',
      details: { expected, actual },
    },
  );
}
