/** What the buildpack reads of an app: package.json and the files beside it. Only keys that matter are checked. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, errnoOf, reasonOf } from '../../kit/index.ts';

const strings = z.record(z.string(), z.string()).catch({});

const schema = z.object({
  engines: strings.default({}),
  scripts: strings.default({}),
  dependencies: strings.default({}),
  devDependencies: strings.default({}),
  packageManager: z.string().optional(),
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

/** @throws BuildpackFailure when there is no package.json or it is not a JSON object. */
export async function readApp(dir: string): Promise<App> {
  const text = await readText(join(dir, 'package.json'));
  if (text === undefined) {
    throw new BuildpackFailure('the app has no package.json at its top', {
      next: 'Stage the directory that has it, or use another buildpack.',
    });
  }
  try {
    const json = schema.parse(JSON.parse(text.replace(/^\uFEFF/, '')));
    return { dir, json, files: new Set(await readdir(dir)) };
  } catch (error) {
    throw new BuildpackFailure(`package.json can't be read: ${reasonOf(error)}`, { cause: error });
  }
}

/** Content of a file, or undefined when there is none. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EISDIR') return undefined;
    throw error;
  }
}
