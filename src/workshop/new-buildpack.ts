/** Writes the skeleton of a new buildpack: complete, tested, and clean in lint. */
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { errnoOf, StagerError } from '../words/errors.ts';
import type { SkeletonFile, SkeletonNames } from './skeleton.ts';
import { shellSkeleton } from './skeleton-sh.ts';
import { typescriptSkeleton } from './skeleton-ts.ts';

/** What to write. */
export interface NewBuildpack {
  readonly name: string;
  readonly language: 'sh' | 'ts';
  /** Default: `./<name>`. */
  readonly dir?: string;
  /** Directory with the exported kit. */
  readonly kit: string;
}

const NAME = /^[a-z][a-z0-9-]{0,60}$/;
/** The parts of the kit that a TypeScript buildpack imports. */
const KIT_PARTS = ['kit.mjs', 'kit.d.mts', 'types'] as const;

/**
 * Writes it; the directory appears whole or not at all.
 *
 * @returns its absolute path and files.
 * @throws StagerError USAGE for an invalid name or a directory that is in use, CONFIG_INVALID when it can't be
 * written.
 */
export async function newBuildpack(
  request: NewBuildpack,
): Promise<{ readonly dir: string; readonly files: readonly string[] }> {
  const names = namesOf(request.name);
  const dir = resolve(request.dir ?? request.name);
  await refuseUsed(dir);
  const files = await skeleton(request, names);
  try {
    await mkdir(dirname(dir), { recursive: true });
    const aside = await mkdtemp(join(dirname(dir), `.${basename(dir)}-`));
    try {
      await write(aside, files);
      if (request.language === 'ts') {
        for (const part of KIT_PARTS)
          await cp(join(request.kit, part), join(aside, 'kit', part), { recursive: true });
      }
      await chmod(aside, 0o755);
      await rmdir(dir).catch(() => undefined);
      await rename(aside, dir);
    } catch (error) {
      await rm(aside, { recursive: true, force: true });
      throw error;
    }
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === undefined) throw cause;
    throw new StagerError('CONFIG_INVALID', `can't write ${dir} (${errno})`, {
      next: 'Choose a directory that can be written with --dir.',
      details: { path: dir, errno },
      cause,
    });
  }
  return { dir, files: files.map(({ path }) => path).sort() };
}

function namesOf(name: string): SkeletonNames {
  if (!NAME.test(name)) {
    throw new StagerError('USAGE', `${JSON.stringify(name)} is not a name for a buildpack`, {
      next: 'Use lower-case letters, digits and -, starting with a letter, such as rust or rust-buildpack.',
      details: { name },
    });
  }
  const language = name.replace(/-buildpack$/, '');
  return { language, variable: language.toUpperCase().replaceAll('-', '_') };
}

async function refuseUsed(dir: string): Promise<void> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    return ['it'];
  });
  if (names.length === 0) return;
  throw new StagerError('USAGE', `${dir} already exists`, {
    next: 'Choose another name, or another place with --dir.',
    details: { path: dir },
  });
}

async function skeleton(
  { language, kit }: NewBuildpack,
  names: SkeletonNames,
): Promise<readonly SkeletonFile[]> {
  const text = (name: string): Promise<string> => readFile(join(kit, name), 'utf8');
  const launchEnv = await text('launch-env.sh');
  if (language === 'sh') return shellSkeleton(names, launchEnv);
  return typescriptSkeleton(names, {
    launchEnv,
    runScript: await text('run.sh'),
    nodeRuntime: await text('node-runtime'),
  });
}

async function write(root: string, files: readonly SkeletonFile[]): Promise<void> {
  for (const { path, text, executable = false } of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    // The umask may have taken bits away.
    await chmod(join(root, path), executable ? 0o755 : 0o644);
  }
}
