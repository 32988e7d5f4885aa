/** TOML files of an app. */
import { parse as parseToml } from 'smol-toml';
import { BuildpackFailure, readText, reasonOf } from '../../kit/index.ts';

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
