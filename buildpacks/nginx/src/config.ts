/** nginx's configuration as directives, with files and lines: enough to look for some, not to understand them. */
import { readdir } from 'node:fs/promises';
import { dirname, join, matchesGlob, normalize } from 'node:path';
import { BuildpackFailure, readText } from '../../kit/index.ts';

/** One directive. */
export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  readonly file: string;
  readonly line: number;
  /** Names of the blocks around it: `['http', 'server']`. */
  readonly within: readonly string[];
  /** Where its `{` ends, for blocks. */
  readonly opens?: number;
}

/** All files of the app that belong to it, and their directives in order. */
export interface Config {
  readonly files: ReadonlyMap<string, string>;
  readonly directives: readonly Directive[];
}

/**
 * Reads nginx.conf of an app and what it includes, as far as that is in the app.
 *
 * @throws BuildpackFailure for braces that do not match.
 */
export async function readConfig(dir: string): Promise<Config> {
  const files = new Map<string, string>();
  const directives: Directive[] = [];
  const visit = async (file: string, within: readonly string[]): Promise<void> => {
    if (files.has(file)) return;
    const text = await readText(dir, file);
    if (text === undefined) return;
    files.set(file, text);
    for (const directive of parseConfig(text, file, within)) {
      directives.push(directive);
      if (directive.name !== 'include') continue;
      for (const included of await filesOf(dir, directive.args[0] ?? '')) {
        await visit(included, directive.within);
      }
    }
  };
  await visit('nginx.conf', []);
  return { files, directives };
}

/** Files that an include names, relative to the app; what leads out of it is not ours to read. */
async function filesOf(dir: string, path: string): Promise<string[]> {
  const inside = normalize(path);
  if (path === '' || inside.startsWith('/') || inside.startsWith('..') || path.includes('{{')) return [];
  if (!/[*?[]/.test(inside)) return [inside];
  const folder = dirname(inside);
  const names = await readdir(join(dir, folder)).catch(() => []);
  return names
    .map((name) => join(folder, name))
    .filter((name) => matchesGlob(name, inside))
    .sort();
}

/** The directives of one file. */
export function parseConfig(text: string, file: string, within: readonly string[] = []): Directive[] {
  const found: Directive[] = [];
  const blocks: { name: string; line: number }[] = [];
  let words: string[] = [];
  let startedAt = 1;
  const end = (opens?: number): void => {
    const [name, ...args] = words;
    words = [];
    if (name === undefined) return;
    const place = { file, line: startedAt, within: [...within, ...blocks.map((block) => block.name)] };
    found.push({ name, args, ...place, ...(opens === undefined ? {} : { opens }) });
  };
  for (const token of tokens(text, file)) {
    if (token.kind === 'word') {
      if (words.length === 0) startedAt = token.line;
      words.push(token.text);
    } else if (token.kind === ';') end();
    else if (token.kind === '{') {
      const [name = ''] = words;
      end(token.at + 1);
      blocks.push({ name, line: token.line });
    } else if (blocks.pop() === undefined) {
      throw new BuildpackFailure(`${file}:${token.line}: this } closes nothing`, { next: BRACES });
    }
  }
  const open = blocks.at(-1);
  if (open !== undefined) {
    throw new BuildpackFailure(`${file}:${open.line}: the { of ${open.name} is never closed`, {
      next: BRACES,
    });
  }
  return found;
}

const BRACES = 'Look for a missing or extra { or } near that line.';

interface Token {
  readonly kind: 'word' | ';' | '{' | '}';
  readonly text: string;
  readonly line: number;
  readonly at: number;
}

/** Quoted words come without quotes; templates (`{{port}}`) are part of words; blocks of Lua are left out. */
function* tokens(text: string, file: string): Generator<Token> {
  const pattern =
    /(?<skip>\s+|#[^\n]*)|(?<lua>\w+_by_lua_block)\s*(?=\{)|(?<punct>[;}]|\{(?!\{))|"(?<double>(?:\{\{[\s\S]*?\}\}|\\[\s\S]|[^"\\])*)"|'(?<single>(?:\{\{[\s\S]*?\}\}|\\[\s\S]|[^'\\])*)'|(?<word>(?:\{\{[\s\S]*?\}\}|\\[\s\S]|\$\{\w*\}|[^\s;{}"'\\])(?:\{\{[\s\S]*?\}\}|\\[\s\S]|\$\{\w*\}|[^\s;{}\\])*)/y;
  let line = 1;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) {
      throw new BuildpackFailure(`${file}:${line}: nginx can't read this: ${text.slice(at).split('\n')[0]}`, {
        next: 'A quote that is opened has to be closed.',
      });
    }
    const { skip, lua, punct, double, single, word } = match.groups ?? {};
    if (lua !== undefined) {
      yield { kind: 'word', text: lua, line, at };
      yield { kind: ';', text: '', line, at };
      pattern.lastIndex = afterBlock(text, pattern.lastIndex);
    } else if (punct === ';' || punct === '{' || punct === '}') {
      yield { kind: punct, text: punct, line, at };
    } else if (skip === undefined) {
      yield { kind: 'word', text: double ?? single ?? word ?? '', line, at };
    }
    line += text.slice(at, pattern.lastIndex).split('\n').length - 1;
  }
}

/** Lua counts braces, and so does nginx. */
function afterBlock(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '{') depth++;
    if (text[at] === '}' && --depth === 0) return at + 1;
  }
  return text.length;
}
