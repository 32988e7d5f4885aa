/** Text files of an app, as people save them. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { BuildpackFailure, errnoOf, reasonOf } from './failure.ts';

/** Whether a path exists. */
export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/**
 * The text with plain line ends and without a byte order mark; undefined when there is no such file.
 *
 * @throws BuildpackFailure for merge conflicts and for what is not a file.
 */
export async function readText(dir: string, name: string): Promise<string | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(join(dir, name));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    if (errnoOf(error) === 'EISDIR') throw new BuildpackFailure(`${name} is a directory`);
    throw error;
  }
  const mark = bytes.toString('latin1', 0, 2);
  const encoding = mark === '\xff\xfe' ? 'utf-16le' : mark === '\xfe\xff' ? 'utf-16be' : 'utf-8';
  const text = new TextDecoder(encoding).decode(bytes).replaceAll('\r\n', '\n');
  if (/^(<<<<<<<|>>>>>>>) /m.test(text)) {
    throw new BuildpackFailure(`${name} has unresolved merge conflicts`, {
      next: 'Resolve the lines between <<<<<<< and >>>>>>> and commit the file.',
    });
  }
  return text;
}

/** A JSON file of the app. */
export async function readJson(dir: string, name: string): Promise<unknown> {
  const text = await readText(dir, name);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BuildpackFailure(`${name} is not valid JSON: ${reasonOf(error)}`, {
      cause: error,
      next: 'Correct it; the place is named above.',
    });
  }
}

/** A TOML file of the app; undefined when there is no such file. */
export async function readToml(dir: string, name: string): Promise<unknown> {
  const text = await readText(dir, name);
  if (text === undefined) return undefined;
  try {
    return parseToml(text);
  } catch (error) {
    throw new BuildpackFailure(`${name} is not valid TOML: ${reasonOf(error).split('\n')[0]}`, {
      cause: error,
      next: 'Correct it; the line is named above.',
    });
  }
}
