/** What the buildpack reads of an app: package.json and the files beside it. Keys that nobody reads are not checked. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, errnoOf, reasonOf } from '../../kit/index.ts';
import { wrongShapes } from '../../kit/shape.ts';

const strings = z.record(z.string(), z.string());
const names = z.array(z.string());

/** npm, yarn and pnpm drop or crash on what is of another type, each in its own way. */
const schema = z.object({
  name: z.string().optional(),
  version: z.string().optional(),
  main: z.string().optional(),
  type: z.string().optional(),
  engines: strings.default({}),
  scripts: strings.default({}),
  dependencies: strings.default({}),
  devDependencies: strings.default({}),
  optionalDependencies: strings.default({}),
  peerDependencies: strings.default({}),
  packageManager: z.string().optional(),
  workspaces: z
    .union([names, z.object({ packages: names.default([]) }).transform(({ packages }) => packages)])
    .default([]),
  overrides: z.record(z.string(), z.unknown()).optional(),
  resolutions: strings.optional(),
  pnpm: z.object({ overrides: strings.default({}) }).optional(),
});

/** The parsed package.json. */
export type PackageJson = z.output<typeof schema>;

/** An app as it came. */
export interface App {
  readonly dir: string;
  readonly json: PackageJson;
  /** Names at the top of the app. */
  readonly files: ReadonlySet<string>;
}

/** @throws BuildpackFailure when there is no package.json, or one that a package manager could not use. */
export async function readApp(dir: string): Promise<App> {
  const files = new Set(await readdir(dir));
  const value = await readJson(dir, 'package.json');
  if (value === undefined) {
    throw new BuildpackFailure('the app has no package.json at its top', {
      next: 'Stage the directory that has it, or use another buildpack.',
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { dir, json: parsed.data, files };
  throw wrong('package.json', parsed.error, value);
}

/**
 * The value of a JSON file of the app; undefined when there is none.
 *
 * @throws BuildpackFailure naming the file and the place for text that is not JSON.
 */
export async function readJson(dir: string, file: string): Promise<unknown> {
  const bytes = await readBytes(join(dir, file));
  if (bytes === undefined) return undefined;
  if (encodingOf(bytes) !== 'utf-8') {
    throw new BuildpackFailure(`${file} is UTF-16 text, which package managers can't read`, {
      next: 'Save it as UTF-8. In Windows PowerShell, > writes UTF-16.',
    });
  }
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  refuseConflict(file, text);
  try {
    return JSON.parse(text);
  } catch (error) {
    const what = text.trim() === '' ? 'it is empty' : reasonOf(error);
    throw new BuildpackFailure(`${file} can't be read: ${what}`, {
      cause: error,
      next: 'Correct it; it has to be JSON, without comments and without a comma behind the last entry.',
    });
  }
}

/** @throws BuildpackFailure with the line, for a file that a merge left unfinished. */
export function refuseConflict(file: string, text: string): void {
  const at = text.search(/^<{7} /m);
  if (at < 0 || !/^>{7} /m.test(text)) return;
  const line = text.slice(0, at).split('\n').length;
  throw new BuildpackFailure(`${file} has an unresolved merge conflict at line ${line}`, {
    next: 'Resolve it and commit the file.',
  });
}

/** The failure for a file with keys of wrong types. */
export function wrong(file: string, error: z.ZodError, value: unknown): BuildpackFailure {
  const found = wrongShapes(error, value, file);
  const [only] = found;
  if (found.length === 1 && only?.startsWith(file)) return new BuildpackFailure(only);
  return new BuildpackFailure(
    found.length === 1 ? `${file}: ${only}` : `${file} is not valid:\n${found.join('\n')}`,
  );
}

/** Content of a text file, UTF-16 with a byte order mark as well; undefined when there is none. */
export async function readText(path: string): Promise<string | undefined> {
  const bytes = await readBytes(path);
  return bytes === undefined ? undefined : new TextDecoder(encodingOf(bytes)).decode(bytes);
}

async function readBytes(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EISDIR') return undefined;
    throw error;
  }
}

function encodingOf(bytes: Buffer): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
}
