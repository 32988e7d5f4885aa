/**
 * One line of an ignore file as git understands it (gitignore(5), and git's wildmatch where the manual does
 * not say), compiled to RE2 so that no line can backtrack. git compares bytes: lines and paths are matched as
 * the bytes of their UTF-8.
 */
import { RE2JS } from 're2js';
import { bracket } from './git-bracket.ts';
import type { IgnoreLine, Matcher } from './ignore.ts';

const MAX_LINE = 16_384;

/** The compiled line; undefined for comments and blank lines, `unusable` for a pattern that matches nothing. */
export function gitMatcher(line: IgnoreLine): Matcher | 'unusable' | undefined {
  if (line.text.length > MAX_LINE) return 'unusable';
  const rule = parseGitLine(line);
  if (rule === undefined) return undefined;
  const source = translateGlob(rule.glob);
  if (source === undefined) return 'unusable';
  const expression = RE2JS.compile(`^${source}$`, RE2JS.DOTALL);
  const matches: Matcher['matches'] = (path, kind) => {
    if (rule.directoriesOnly && kind !== 'directory') return false;
    const clean = path.endsWith('/') ? path.slice(0, -1) : path;
    const subject = rule.byName ? clean.slice(clean.lastIndexOf('/') + 1) : clean;
    return expression.test(bytesOf(subject));
  };
  // Never asked: with git's rules a directory that is left out decides alone.
  return {
    line,
    negated: rule.negated,
    matches,
    matchesAllBelow: () => false,
    mayMatchBelow: () => true,
  };
}

interface GitRule {
  readonly glob: string;
  readonly negated: boolean;
  readonly directoriesOnly: boolean;
  /** No slash in the pattern: it is matched against the last segment only. */
  readonly byName: boolean;
}

function parseGitLine(line: IgnoreLine): GitRule | undefined {
  let text = line.text.endsWith('\r') ? line.text.slice(0, -1) : line.text;
  if (line.line === 1 && text.startsWith('\uFEFF')) text = text.slice(1);
  if (text === '' || text.startsWith('#')) return undefined;
  text = trimTrailingSpaces(text);
  const negated = text.startsWith('!');
  if (negated) text = text.slice(1);
  const directoriesOnly = text.endsWith('/');
  if (directoriesOnly) text = text.slice(0, -1);
  if (text === '') return undefined;
  const byName = !text.includes('/');
  const glob = text.startsWith('/') ? text.slice(1) : text;
  return { glob: bytesOf(glob), negated, directoriesOnly, byName };
}

/** Trailing spaces go, unless a backslash keeps them. */
function trimTrailingSpaces(text: string): string {
  let end = 0;
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] === '\\') index += 1;
    else if (text[index] === ' ') continue;
    end = index + 1;
  }
  return text.slice(0, Math.min(end, text.length));
}

/** The expression for a pattern, or undefined when nothing can match it. */
function translateGlob(glob: string): string | undefined {
  // git compares the part before the first wildcard as text; a `**` right after it counts as at a segment start.
  const literal = glob.search(/[*?[\\]/);
  let out = '';
  let index = 0;
  while (index < glob.length) {
    const char = glob.charAt(index);
    if (char === '*') {
      const stars = starRun(glob, index, literal);
      out += stars.expression;
      index = stars.next;
    } else if (char === '?') {
      out += '[^/]';
      index += 1;
    } else if (char === '[') {
      const set = bracket(glob, index);
      if (set === undefined) return undefined;
      out += set.expression;
      index = set.next;
    } else if (char === '\\') {
      if (index + 1 >= glob.length) return undefined;
      out += escapeByte(glob.charAt(index + 1));
      index += 2;
    } else {
      out += escapeByte(char);
      index += 1;
    }
  }
  return out;
}

function starRun(glob: string, start: number, literal: number): { expression: string; next: number } {
  let next = start;
  while (glob[next] === '*') next += 1;
  const atStart = start === 0 || start === literal || glob[start - 1] === '/';
  const rest = glob.slice(next);
  const atEnd = rest === '' || rest.startsWith('/') || rest.startsWith('\\/');
  if (next - start < 2 || !atStart || !atEnd) return { expression: '[^/]*', next };
  if (rest.startsWith('/')) return { expression: '(?:.*/)?', next: next + 1 };
  return { expression: '.*', next };
}

/** The byte `char` (U+0000 to U+00FF), literally. */
function escapeByte(char: string): string {
  if (/[A-Za-z0-9_]/.test(char)) return char;
  return `\\x{${char.charCodeAt(0).toString(16)}}`;
}

function bytesOf(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the test is for plain ASCII
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}
