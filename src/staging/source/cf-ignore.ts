/**
 * One line of a `.cfignore` as the real client understands it.
 *
 * The client turns a line into a regular expression by a chain of replacements that is only roughly git's
 * syntax, and matches it with RE2 (cf-cli-wire.md 4.2). What people have in their files was tried against that
 * chain, so it is repeated step by step, its surprises included, and compiled by a port of the same engine: a
 * line that RE2 refuses is without effect, and no line can backtrack.
 */
import { RE2JS, RE2JSException } from 're2js';
import type { IgnoreLine, Matcher } from './ignore.ts';

/** Stands for a star that is already part of the expression, as in the client. */
const MAGIC_STAR = '#$~';
/** Longest line that is looked at, in characters; paths end at 4096 bytes. */
const MAX_LINE = 16_384;

/** The compiled line; undefined for comments and blank lines, `unusable` when RE2 refuses it. */
export function cfMatcher(line: IgnoreLine): Matcher | 'unusable' | undefined {
  if (line.text.length > MAX_LINE) return 'unusable';
  const translated = translateCfLine(line.text);
  if (translated === undefined) return undefined;
  const expression = compile(translated.expression);
  if (expression === undefined) return 'unusable';
  const { body, negated } = translated;
  const test = plainTest(body) ?? ((path: string) => expression.test(path));
  // The expression ends in "and everything below", unless a live character ends or splits the match before that.
  const reachesDown = !/[$^\\|]/.test(body);
  const below = translated.expression.endsWith('/(|.*)$') ? '/' : '';
  return {
    line,
    negated,
    matches: test,
    matchesAllBelow: (directory) => reachesDown && test(`${directory}${below}`),
    mayMatchBelow: (directory) => !isRootedElsewhere(body, directory),
  };
}

/**
 * The client's translation of a line: `body` is the line after negation and anchoring, `expression` what RE2
 * gets. Undefined for lines that are not rules.
 */
function translateCfLine(
  text: string,
): { readonly expression: string; readonly body: string; readonly negated: boolean } | undefined {
  let line = trimEnd(text, '\r');
  if (line.startsWith('#')) return undefined;
  line = trimSpaces(line);
  if (line === '') return undefined;
  const negated = line.startsWith('!');
  if (negated) line = line.slice(1);
  if (line.startsWith('#') || line.startsWith('!')) line = line.slice(1);
  if (anchorsStarExtension(line) && !line.startsWith('/')) line = `/${line}`;
  return { expression: toExpression(line), body: line, negated };
}

function toExpression(body: string): string {
  let text = body.replaceAll('.', '\\.');
  if (text.startsWith('/**/')) text = text.slice(1);
  text = replaceLiteral(text, '/**/', '(/|/.+/)');
  text = replaceLiteral(text, '**/', `(|.${MAGIC_STAR}/)`);
  text = replaceLiteral(text, '/**', `(|/.${MAGIC_STAR})`);
  text = replaceLiteral(text, '\\*', `\\${MAGIC_STAR}`);
  text = replaceLiteral(text, '*', '([^/]*)');
  text = replaceLiteral(text, '?', '\\?');
  text = replaceLiteral(text, MAGIC_STAR, '*');
  text = text.endsWith('/') ? `${text}(|.*)$` : `${text}(|/.*)$`;
  return text.startsWith('/') ? `^(|/)${text.slice(1)}` : `^(|.*/)${text}`;
}

/** The client's `([^\/+])/.*\*\.`: a slash after anything but a slash or plus, later a `*.`. */
function anchorsStarExtension(line: string): boolean {
  const star = line.lastIndexOf('*.');
  for (let slash = line.indexOf('/', 1); slash > 0 && slash < star; slash = line.indexOf('/', slash + 1)) {
    const before = line[slash - 1];
    if (before !== '/' && before !== '+') return true;
  }
  return false;
}

/** Words without any live character are most lines; comparing them as text is equal and four times as fast. */
function plainTest(body: string): ((path: string) => boolean) | undefined {
  if (!/^[\w.@~,=%&:;<>'"`\- #!]+$/.test(body) || body.includes(MAGIC_STAR)) return undefined;
  const inner = `/${body}/`;
  const end = `/${body}`;
  return (path) => {
    if (path.includes('\n')) return newlineTest(path, body);
    return path === body || path.startsWith(`${body}/`) || path.endsWith(end) || path.includes(inner);
  };
}

/** `.` in RE2 stops at a line end, so a name with one is matched by the expression itself. */
function newlineTest(path: string, body: string): boolean {
  return compile(toExpression(body))?.test(path) ?? false;
}

/** True when the line names, from the root and without live characters, a path that is not below `directory`. */
function isRootedElsewhere(body: string, directory: string): boolean {
  if (!/^\/[\w.@~,=%&:;<>'"`\- #!/]+$/.test(body) || body.includes(MAGIC_STAR)) return false;
  const named = trimEnd(body.slice(1), '/');
  return !`${named}/`.startsWith(`${directory}/`) && !`${directory}/`.startsWith(`${named}/`);
}

function compile(expression: string): RE2JS | undefined {
  try {
    return RE2JS.compile(expression);
  } catch (error) {
    if (error instanceof RE2JSException) return undefined;
    throw error;
  }
}

function replaceLiteral(text: string, what: string, by: string): string {
  return text.split(what).join(by);
}

function trimSpaces(text: string): string {
  let start = 0;
  while (text[start] === ' ') start += 1;
  return trimEnd(text.slice(start), ' ');
}

function trimEnd(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end -= 1;
  return text.slice(0, end);
}
