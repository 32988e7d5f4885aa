/** Which files of a buildpack's directory belong in its package. */
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { minimatch } from 'minimatch';
import { leavesApp } from '../staging/source/links.ts';
import { StagerError } from '../words/errors.ts';

/**
 * One entry of the package. Empty directories are entries as well. Modes are 0755 and 0644, by what the owner may: the
 * rest is the umask of whoever checked the buildpack out, and would give other bytes.
 */
export type PackageFile =
  | { readonly kind: 'file'; readonly path: string; readonly mode: number }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string };

/** Never part of a package: history, tests, what package managers and we ourselves made. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  '.DS_Store',
  '.git',
  '.gitignore',
  '.github',
  'dependencies',
  'fixtures',
  'node_modules',
  'SHA256SUMS',
  'test',
]);
/** In every package, listed or not. */
const ALWAYS = ['manifest.yml', 'VERSION'] as const;
const PACKAGE_NAME = /_buildpack(-cached)?(-[\w.-]+)?-v[\w.+-]+\.zip$/;

/**
 * The files, sorted by the bytes of their names: those that `include_files` names (directories stand for all that is
 * in them), else everything but {@link LEFT_OUT} at the top.
 *
 * @throws StagerError BUILDPACK_MALFORMED when a named file is missing, or an entry can't be in a zip.
 */
export async function packageFiles(
  root: string,
  includes: readonly string[] | undefined,
): Promise<readonly PackageFile[]> {
  const wanted = (path: string): boolean => {
    if (includes === undefined || ALWAYS.some((name) => name === path)) return true;
    return includes.some((name) => covers(name, path));
  };
  const all = await below(root, '');
  const files = all.filter(({ path }) => wanted(path));
  for (const name of includes ?? []) {
    if (all.some(({ path }) => covers(name, path))) continue;
    throw unpackageable(
      `include_files names ${name}, which is not there`,
      'Make the file, or take it off the list.',
    );
  }
  const links = new Map(files.flatMap((file) => (file.kind === 'symlink' ? [[file.path, file.target]] : [])));
  for (const [path, target] of links) {
    const reason = leavesApp(path, target, links);
    if (reason !== undefined)
      throw unpackageable(`${path} is a link that ${reason}`, 'Replace it by a file.');
  }
  return files.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

function covers(include: string, path: string): boolean {
  const bare = include.replace(/^\.\//, '').replace(/\/+$/, '');
  return path === bare || path.startsWith(`${bare}/`) || minimatch(path, bare, { dot: true, nonegate: true });
}

async function below(root: string, directory: string): Promise<PackageFile[]> {
  const found: PackageFile[] = [];
  const entries = await readdir(join(root, directory), { withFileTypes: true });
  for (const entry of entries) {
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
    if (directory === '' && (LEFT_OUT.has(entry.name) || PACKAGE_NAME.test(entry.name))) continue;
    const { mode } = await lstat(join(root, path));
    if (entry.isFile()) found.push({ kind: 'file', path, mode: (mode & 0o100) === 0 ? 0o644 : 0o755 });
    else if (entry.isSymbolicLink()) {
      found.push({ kind: 'symlink', path, target: await readlink(join(root, path)) });
    } else if (entry.isDirectory()) {
      const inside = await below(root, path);
      found.push(...(inside.length > 0 ? inside : [{ kind: 'directory', path, mode: 0o755 } as const]));
    } else throw unpackageable(`${path} is neither file, directory nor link`, 'Remove it.');
  }
  return found;
}

/** Why a buildpack can't be packaged. */
export function unpackageable(message: string, next: string): StagerError {
  return new StagerError('BUILDPACK_MALFORMED', `the buildpack can't be packaged: ${message}`, { next });
}
