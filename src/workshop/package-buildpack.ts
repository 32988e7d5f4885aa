/** Makes a package of a buildpack, with its dependencies inside or not, byte-identical each time. */
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileDigest } from '../machine/host/file-digest.ts';
import { demandOutputFile } from '../machine/host/output-file.ts';
import { buildpackVersion } from '../staging/buildpack/contract/facts.ts';
import { buildpackRoot } from '../staging/buildpack/contract/root.ts';
import { sha256OfBytes } from '../words/digest.ts';
import { StagerError } from '../words/errors.ts';
import { type BuildpackManifest, readBuildpackManifest } from './manifest.ts';
import { type DependencyFile, fetchDependencies, type OfflinePorts } from './offline.ts';
import { type CnbWish, writeCnb } from './package-cnb.ts';
import { type PackageFile, packageFiles, unpackageable } from './package-files.ts';
import { writeZip, type ZipEntry } from './write-zip.ts';

/** What to package. */
export interface PackageRequest {
  readonly dir: string;
  /** For this stack only: its dependencies, and the name of the stack in manifest and file name. */
  readonly stack?: string;
  /** Without the dependencies that are for other machines. */
  readonly arch?: 'x64' | 'arm64';
  /** Default: the usual name, in the working directory. */
  readonly out?: string;
  /** Downloads, when the dependencies are to be inside. */
  readonly offline?: OfflinePorts;
  /** Makes a Cloud Native Buildpack instead of a zip. */
  readonly cnb?: CnbWish;
  readonly signal: AbortSignal;
  readonly onWarning: (message: string) => void;
}

/** What was made. */
export interface PackagedBuildpack {
  /** Absolute path, or the name of the image. */
  readonly file: string;
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
  readonly files: number;
  readonly dependencies: number;
}

const SUMS = 'SHA256SUMS';

/**
 * Makes the package. SHA256SUMS in it names the digest of every file, in the form that `sha256sum -c` reads.
 *
 * @throws StagerError BUILDPACK_MALFORMED, BUILDPACK_DOWNLOAD_FAILED, BUILDPACK_CHECKSUM_MISMATCH, CONFIG_INVALID.
 */
export async function packageBuildpack(request: PackageRequest): Promise<PackagedBuildpack> {
  const { signal } = request;
  const root = await buildpackRoot(resolve(request.dir), request.dir);
  const whole = await manifestOf(root);
  const version = await buildpackVersion(root);
  if (version === undefined)
    throw unpackageable('it has no VERSION', 'Write the version into a file VERSION.');
  if (whole?.prePackage !== undefined) {
    request.onWarning(`pre_package is not run: run ${whole.prePackage} before, if it was not yet`);
  }
  const narrowed = request.stack !== undefined || request.arch !== undefined;
  const manifest = narrowed ? narrow(whole, request) : whole;
  const inside = request.offline && manifest ? await fetchDependencies(manifest, request.offline) : [];
  const files = await packageFiles(root, manifest?.includeFiles);
  const rewritten = inside.length > 0 || narrowed ? manifest?.document.toString() : undefined;
  const entries = await entriesOf(root, { files, inside, rewritten, signal });
  const language = languageOf(manifest?.language ?? basename(root));
  const bare = bareVersion(version);
  const file = resolve(request.out ?? packageName({ language, version: bare, request }));
  await refuseDirectory(file);
  if (request.cnb?.push === undefined) await demandOutputFile(file);
  const written =
    request.cnb === undefined
      ? await writeZip(file, entries, signal)
      : await writeCnb(file, { name: language, version: bare, entries }, request.cnb);
  return { file, ...written, files: entries.length, dependencies: inside.length };
}

async function manifestOf(root: string): Promise<BuildpackManifest | undefined> {
  const read = await readBuildpackManifest(root);
  if (read.kind === 'broken') {
    throw unpackageable(`manifest.yml line ${read.line}: ${read.reason}`, 'Correct manifest.yml.');
  }
  return read.kind === 'manifest' ? read.manifest : undefined;
}

/** The manifest without what is for other stacks and machines. */
function narrow(
  manifest: BuildpackManifest | undefined,
  { stack, arch }: Pick<PackageRequest, 'stack' | 'arch'>,
): BuildpackManifest {
  if (manifest === undefined)
    throw unpackageable(
      'without manifest.yml it is for all stacks and machines',
      'Leave out --stack and --arch.',
    );
  const kept = manifest.dependencies.filter(
    (it) =>
      (stack === undefined || it.stacks.length === 0 || it.stacks.includes(stack)) &&
      (arch === undefined || it.arch === undefined || it.arch === arch),
  );
  if (kept.length === 0 && manifest.dependencies.length > 0) {
    const what = [stack !== undefined && `stack ${stack}`, arch].filter(Boolean).join(' on ');
    throw unpackageable(
      `no dependency of it is for ${what}`,
      'Name a stack that cf_stacks has, and an arch.',
    );
  }
  if (stack !== undefined) {
    for (const { node } of kept) node.delete('cf_stacks');
    manifest.document.set('stack', stack);
  }
  const nodes = kept.map(({ node }) => node);
  if (manifest.dependencies.length > 0) manifest.document.set('dependencies', nodes);
  return { ...manifest, dependencies: kept };
}

/** As Cloud Foundry's packager names it (buildpack-contracts.md 3.5). */
function packageName(parts: {
  readonly language: string;
  readonly version: string;
  readonly request: PackageRequest;
}): string {
  const { language, version, request } = parts;
  const { cnb, stack, arch, offline } = request;
  const cached = offline === undefined ? '' : '-cached';
  const end = cnb === undefined ? 'zip' : 'cnb';
  return `${language}_buildpack${cached}${stack === undefined ? '' : `-${stack}`}${arch === undefined ? '' : `-${arch}`}-v${version}.${end}`;
}

const languageOf = (name: string): string =>
  name.replace(/[_-]buildpack$/, '').replace(/[^A-Za-z0-9._-]/g, '-');
const bareVersion = (version: string): string => version.replace(/^v/, '').replace(/[^A-Za-z0-9._+-]/g, '-');

interface Parts {
  readonly files: readonly PackageFile[];
  readonly inside: readonly DependencyFile[];
  /** New text of manifest.yml. */
  readonly rewritten: string | undefined;
  readonly signal: AbortSignal;
}

async function entriesOf(
  root: string,
  { files, inside, rewritten, signal }: Parts,
): Promise<readonly ZipEntry[]> {
  const entries: ZipEntry[] = [];
  const sums: string[] = [];
  for (const file of files) {
    const hostPath = join(root, file.path);
    if (file.kind !== 'file') entries.push(file);
    else if (file.path === 'manifest.yml' && rewritten !== undefined) {
      entries.push({ ...file, kind: 'text', text: rewritten });
      sums.push(`${sha256OfBytes(rewritten)}  ${file.path}`);
    } else {
      entries.push({ ...file, hostPath, compress: true });
      sums.push(`${await fileDigest(hostPath, signal)}  ${file.path}`);
    }
  }
  for (const { path, hostPath, sha256 } of inside) {
    // They are archives: another round of deflate only takes time.
    entries.push({ kind: 'file', path, hostPath, mode: 0o644, compress: false });
    sums.push(`${sha256}  ${path}`);
  }
  entries.push({ kind: 'text', path: SUMS, mode: 0o644, text: `${sums.join('\n')}\n` });
  return entries.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

async function refuseDirectory(file: string): Promise<void> {
  const facts = await stat(file).catch(() => undefined);
  if (facts?.isDirectory() !== true) return;
  throw new StagerError('USAGE', `${file} is a directory`, { next: 'Name the file to write with --out.' });
}
