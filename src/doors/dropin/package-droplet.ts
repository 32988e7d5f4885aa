/** Writes the droplet and the cache tarball, packed straight from where the files are. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  createWriteStream,
  fstatSync,
  lstatSync,
  openSync,
  realpathSync,
  type Stats,
} from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { packEntries } from '../../staging/droplet/pack/tarball.ts';
import { errnoOf } from '../../words/errors.ts';
import { type ArchiveRoot, archiveEntries, capital, unreadableBelow } from './archive-entries.ts';
import type { BuilderConfig } from './builder-flags.ts';
import type { DropinCaller } from './caller.ts';
import { failure, under } from './failure.ts';
import { exceedsFileSizeLimit } from './file-size-limit.ts';
import { errnoText } from './go/errno.ts';
import { findProgram, join, mkdirAll } from './go/path.ts';

/** Packs both archives of a finished build. @throws DropinFailure */
export async function packageDroplet(
  config: BuilderConfig,
  contentsDir: string,
  caller: Pick<DropinCaller, 'env' | 'stderr'>,
): Promise<void> {
  const tar = findProgram('tar', caller.env) ?? 'tar';
  await under('Failed to set up droplet filesystem', () => {
    for (const name of ['tmp', 'logs']) mkdirAll(join(contentsDir, name));
  });
  const isCopied = mustCopy(config.buildDir, contentsDir);
  if (isCopied) copyApp(config.buildDir, contentsDir, caller.env);
  else refuseUncopyable(config.buildDir, caller.stderr);
  const contents: ArchiveRoot = { hostPath: contentsDir, archivePath: '.', copied: false, keepLink: false };
  const app: ArchiveRoot = {
    hostPath: config.buildDir,
    archivePath: './app',
    copied: true,
    keepLink: true,
  };
  const droplet = { path: config.outputDroplet, sentence: 'Failed to compress droplet filesystem', tar };
  await writeArchive(droplet, isCopied ? [contents] : [contents, app]);
  await under('Failed to create output build artifacts cache dir', () =>
    mkdirAll(dirname(config.outputBuildArtifactsCache)),
  );
  const cache: ArchiveRoot = { ...contents, hostPath: config.buildArtifactsCacheDir };
  const path = config.outputBuildArtifactsCache;
  await writeArchive({ path, sentence: 'Failed to compress build artifacts', tar }, [cache]);
}

/** Whether only cp can tell what comes out: something is in the app's place, or the contents lie inside the app. */
function mustCopy(buildDir: string, contentsDir: string): boolean {
  try {
    if (lstatSync(join(contentsDir, 'app'), { throwIfNoEntry: false }) !== undefined) return true;
    return realpathSync(contentsDir).startsWith(`${realpathSync(buildDir)}/`);
  } catch {
    return false;
  }
}

function copyApp(buildDir: string, contentsDir: string, env: Readonly<Record<string, string>>): void {
  const cp = findProgram('cp', env) ?? 'cp';
  const { status } = spawnSync(cp, ['-a', buildDir, join(contentsDir, 'app')], {
    argv0: 'cp',
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw failure('Failed to copy compiled droplet', `exit status ${status}`);
}

/** The original copies the app with cp, which reports what it can't read. */
function refuseUncopyable(buildDir: string, stderr: (text: string) => void): void {
  let stats: Stats | undefined;
  try {
    stats = lstatSync(buildDir, { throwIfNoEntry: false });
  } catch {
    stats = undefined;
  }
  if (stats === undefined) stderr(`cp: cannot stat '${buildDir}': No such file or directory\n`);
  const unreadable = stats === undefined ? [] : unreadableBelow(buildDir);
  for (const { path, directory, reason } of unreadable) {
    stderr(
      `cp: cannot ${directory ? 'access' : 'open'} '${path}'${directory ? '' : ' for reading'}: ${reason}\n`,
    );
  }
  if (stats === undefined || unreadable.length > 0) {
    throw failure('Failed to copy compiled droplet', 'exit status 1');
  }
  if (exceedsFileSizeLimit(buildDir))
    throw failure('Failed to copy compiled droplet', 'signal: file size limit exceeded');
}

/** An archive, and how its failures are reported. `tar` is the name that the original's tar gives itself. */
interface Archive {
  readonly path: string;
  readonly sentence: string;
  readonly tar: string;
}

/**
 * Writes an archive over `path`, in place: harnesses name devices, links and files that are mounted by themselves,
 * and look at the exit code only.
 */
async function writeArchive(to: Archive, roots: readonly ArchiveRoot[]): Promise<void> {
  const { path, sentence, tar } = to;
  refuseUntarable(roots, to);
  let fd: number;
  try {
    fd = openSync(path, 'w', 0o666);
  } catch (error) {
    const said = [
      `tar (child): ${path}: Cannot open: ${capital(errnoText(error))}`,
      'tar (child): Error is not recoverable: exiting now',
      `${tar}: Child returned status 2`,
      `${tar}: Error is not recoverable: exiting now`,
      '',
    ];
    throw failure(`${sentence}: ${said.join('\n')}`, 'exit status 2');
  }
  const output = fstatSync(fd);
  const { signal } = new AbortController();
  const packed = packEntries(() => archiveEntries(roots, output), { signal });
  const home = leaveRemovedDirectory();
  try {
    await pipeline(packed.body, createWriteStream('', { fd }));
  } catch (error) {
    throw failure(`${sentence}: ${saidOfPacking(error, tar)}`, 'exit status 2');
  } finally {
    home();
  }
}

/** Codes of a disk that takes no more. The original's tar has gzip write the archive, and both speak. */
const FULL: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT']);

function saidOfPacking(error: unknown, tar: string): string {
  if (!FULL.has(errnoOf(error))) return `${tar}: ${error instanceof Error ? error.message : String(error)}\n`;
  const said = [
    '',
    `gzip: stdout: ${capital(errnoText(error))}`,
    `${tar}: Child returned status 1`,
    `${tar}: Error is not recoverable: exiting now`,
    '',
  ];
  return said.join('\n');
}

/** Node can't start a thread in a working directory that is gone. Returns what goes back there. */
function leaveRemovedDirectory(): () => void {
  try {
    process.cwd();
    return () => undefined;
  } catch {
    const here = openSync('.', 'r');
    process.chdir('/');
    return () => {
      process.chdir(`/proc/self/fd/${here}`);
      closeSync(here);
    };
  }
}

function refuseUntarable(roots: readonly ArchiveRoot[], { sentence, tar }: Archive): void {
  for (const root of roots.filter((it) => !it.copied)) {
    const said = unreadableBelow(root.hostPath).map(
      ({ path, reason }) => `${tar}: .${path.slice(root.hostPath.length)}: Cannot open: ${reason}\n`,
    );
    if (said.length === 0) continue;
    const end = `${tar}: Exiting with failure status due to previous errors\n`;
    throw failure(`${sentence}: ${said.join('')}${end}`, 'exit status 2');
  }
}
