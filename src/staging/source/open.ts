/** Opens whatever a person names as the app: a directory, a zip, a tar. */
import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { ArchiveFile } from './archive-file.ts';
import { unreadable } from './content.ts';
import { DirectorySource } from './directory.ts';
import type { Source } from './entry.ts';
import { IGNORE_FILE, type IgnoreRules, type IgnoreStyle, ignoreRules } from './ignore.ts';
import { DEFAULT_SOURCE_LIMITS, type SourceLimits } from './limits.ts';
import { sniff } from './sniff.ts';
import { TarSource } from './tar.ts';
import { ZipSource } from './zip.ts';

/** How a source is read. */
export interface OpenSourceOptions {
  /** Default `cf`. */
  readonly ignoreStyle?: IgnoreStyle;
  /** Use these instead of what the source's ignore file and the default list say. */
  readonly rules?: IgnoreRules;
  readonly limits?: Partial<SourceLimits>;
  /** More ignore lines, last of all; directories only, as the client adds its trace files. */
  readonly extraIgnored?: readonly string[];
  /** Where content that a tar's hard links share is kept; default the system's temp directory. */
  readonly tempRoot?: string;
}

/** A source that can say which ignore rule decides about a path. */
export type OpenSource = Source & {
  /** The compiled rules of this source. `.cfignore` lines that are not rules are in `unusable`. */
  ignoreRules(options: { readonly signal: AbortSignal }): Promise<IgnoreRules>;
};

/**
 * Opens the app at `path`. An archive is recognised by its content, not its name; nothing is unpacked.
 *
 * @throws StagerError SOURCE_NOT_FOUND, SOURCE_UNREADABLE, SOURCE_ARCHIVE_INVALID (neither zip nor tar),
 * SOURCE_TOO_LARGE (the ignore file).
 */
export async function openSource(path: string, options: OpenSourceOptions = {}): Promise<OpenSource> {
  const limits = { ...DEFAULT_SOURCE_LIMITS, ...options.limits };
  const style = options.ignoreStyle ?? 'cf';
  const root = await locate(path);
  const what = await stat(root);
  if (what.isDirectory()) return openDirectory({ path, root, limits, options });
  if (!what.isFile()) throw notASource(path, 'is neither a directory nor a file');
  const file = new ArchiveFile(root, path);
  const packed = await sniff(root, path);
  if (packed === 'zip') {
    const source = new ZipSource({
      file,
      limits,
      rulesOf: (own) =>
        options.rules ?? ignoreRules({ style, order: 'defaults-first', ...(own && { file: own }) }),
    });
    return Object.assign(source, { ignoreRules: () => source.rules() });
  }
  const source = new TarSource({
    file,
    limits,
    gzip: packed === 'gzip',
    tempRoot: options.tempRoot ?? tmpdir(),
    rulesOf: (own) => options.rules ?? ignoreRules({ style, order: 'file-first', ...(own && { file: own }) }),
  });
  return Object.assign(source, {
    ignoreRules: (io: { readonly signal: AbortSignal }) => source.rules(io.signal),
  });
}

async function openDirectory(input: {
  readonly path: string;
  readonly root: string;
  readonly limits: SourceLimits;
  readonly options: OpenSourceOptions;
}): Promise<OpenSource> {
  const { root, limits, options } = input;
  const text = await readIgnoreFile(join(root, IGNORE_FILE), limits.maxIgnoreFileBytes);
  const own = ignoreRules({
    style: options.ignoreStyle ?? 'cf',
    order: 'file-first',
    extra: options.extraIgnored ?? [],
    ...(text === undefined ? {} : { file: { text, path: IGNORE_FILE } }),
  });
  const rules = options.rules ?? own;
  const source = new DirectorySource({ description: input.path, root, rules, limits });
  return Object.assign(source, { ignoreRules: async () => rules });
}

async function locate(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') throw notASource(path, 'does not exist');
    throw unreadable(path, error);
  }
}

function notASource(path: string, what: string): StagerError {
  return new StagerError('SOURCE_NOT_FOUND', `${path} ${what}`, {
    next: 'Name a directory, a .zip, .jar or .war, or a .tar or .tar.gz.',
    details: { path },
  });
}

/** The rules of a directory. A link is followed, as the client does; a pipe or device is refused, not waited for. */
async function readIgnoreFile(path: string, limit: number): Promise<string | undefined> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw unreadable(path, error);
  }
  try {
    const { size, isFile } = await handle.stat().then((at) => ({ size: at.size, isFile: at.isFile() }));
    if (!isFile) throw unreadable(path, new Error('it is not a regular file'));
    if (size > limit) {
      throw new StagerError('SOURCE_TOO_LARGE', `${path} has ${size} bytes; the limit is ${limit}`, {
        next: 'Shorten it; a pattern with ** covers a whole tree.',
        details: { path, limit, actual: size, unit: 'bytes' },
      });
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
