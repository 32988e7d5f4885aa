/** go.mod and go.work, as far as a build has to know them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildpackFailure, errnoOf } from '../../kit/index.ts';

/** What one of the two files says. */
export interface GoFile {
  /** `go.mod` or `go.work`. */
  readonly name: string;
  readonly module: string | undefined;
  /** The go line: `1.24`, `1.24.3`. */
  readonly go: string | undefined;
  /** The toolchain line without `go`: `1.24.5`. */
  readonly toolchain: string | undefined;
  /** Modules that it requires. */
  readonly requires: number;
  /** Folders of a workspace. */
  readonly uses: readonly string[];
  /** `// +heroku goVersion …` and `// +heroku install …`. */
  readonly heroku: { readonly version: string | undefined; readonly install: readonly string[] };
}

/**
 * Reads `<dir>/<name>`; undefined when it is not there.
 *
 * @throws BuildpackFailure for what no go command could read.
 */
export async function readGoFile(dir: string, name: 'go.mod' | 'go.work'): Promise<GoFile | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(join(dir, name));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) === 'EISDIR') throw new BuildpackFailure(`${name} is a directory`);
    throw error;
  }
  return parseGoFile(bytes, name);
}

/** The content of a file named `name`. */
export function parseGoFile(bytes: Buffer, name: string): GoFile {
  const text = textOf(bytes, name);
  if (/^(<<<<<<<|=======|>>>>>>>)/m.test(text)) {
    throw new BuildpackFailure(`${name} has unresolved merge conflicts`, {
      next: 'Resolve the lines between <<<<<<< and >>>>>>> and commit the file.',
    });
  }
  const heroku = [...text.matchAll(/^\/\/ \+heroku (\w+) +(.+)$/gm)];
  const lines = statements(text);
  const first = (word: string) => lines.find(([head]) => head === word)?.[1];
  const file = {
    name,
    module: first('module')?.replace(/^"(.*)"$/, '$1'),
    go: first('go'),
    toolchain: first('toolchain')?.replace(/^go/, ''),
    requires: lines.filter(([head]) => head === 'require').length,
    uses: lines.filter(([head]) => head === 'use').map(([, folder]) => folder.replace(/^"(.*)"$/, '$1')),
    heroku: {
      version: heroku.find(([, word]) => word === 'goVersion')?.[2]?.trim(),
      install: (heroku.find(([, word]) => word === 'install')?.[2] ?? '').split(/\s+/).filter(Boolean),
    },
  };
  if (name === 'go.mod' && file.module === undefined) {
    throw new BuildpackFailure('go.mod has no module line', {
      next: 'Its first line has to look like: module example.com/shop (go mod init writes it).',
    });
  }
  if (file.go !== undefined && !/^\d+\.\d+(\.\d+)?((rc|beta)\d+)?$/.test(file.go)) {
    throw new BuildpackFailure(`the go line of ${name} is "${file.go}"`, {
      next: 'It has to be a version such as 1.26 or 1.26.3.',
    });
  }
  return file;
}

function textOf(bytes: Buffer, name: string): string {
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  const bom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  if (utf16 || bom) {
    throw new BuildpackFailure(
      `${name} is ${utf16 ? 'UTF-16' : 'UTF-8 with a byte order mark'}, which Go does not read`,
      { next: 'Save it as UTF-8 without a byte order mark.' },
    );
  }
  return bytes.toString('utf8').replaceAll('\r\n', '\n');
}

/** Statements as word and argument; `require ( a v1 … )` gives one for each line in between. */
function statements(text: string): [word: string, argument: string][] {
  const found: [string, string][] = [];
  let block = '';
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\/\/.*$/, '').trim();
    if (line === '') continue;
    if (block !== '' && line === ')') block = '';
    else if (block !== '') found.push([block, line.split(/\s+/)[0] ?? '']);
    else if (line.endsWith('(')) block = line.slice(0, -1).trim();
    else {
      const [word = '', argument = ''] = line.split(/\s+/);
      found.push([word, argument]);
    }
  }
  return found;
}
