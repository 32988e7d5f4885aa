/**
 * Env files: what dotenv reads, with two differences. Names are any that a process can have (`server.port`, `A[0]`),
 * and a line that is nothing is refused, since a variable that vanishes is found out late.
 */
import { parse } from 'dotenv';
import { StagerError } from '../../words/errors.ts';

/** A statement: name, what separates, and a value that may be quoted over several lines. */
const STATEMENT =
  /^[ \t]*(?:export[ \t]+)?([^\s=#'"`:]+)((?:[ \t]*=|:(?=[ \t]))(?:[ \t]*'(?:\\'|[^'])*'|[ \t]*"(?:\\"|[^"])*"|[ \t]*`(?:\\`|[^`])*`|[^#\r\n]+)?[ \t]*(?:#.*)?)\r?$/gm;

/** @throws StagerError CONFIG_INVALID with the line that is not a variable; never with its text. */
export function parseEnvFile(source: string, file: string): Record<string, string> {
  const text = source.replace(/^\uFEFF/, '');
  const found: Record<string, string> = {};
  let at = 0;
  for (const match of text.matchAll(STATEMENT)) {
    demandBlank(text, { from: at, to: match.index, file });
    const [whole, name = '', rest = ''] = match;
    found[name] = parse(`NAME${rest}`)['NAME'] ?? '';
    at = match.index + whole.length;
  }
  demandBlank(text, { from: at, to: text.length, file });
  return found;
}

/** Between two statements there is nothing but blank lines and comments. */
function demandBlank(
  text: string,
  { from, to, file }: { readonly from: number; readonly to: number; readonly file: string },
): void {
  let line = text.slice(0, from).split('\n').length;
  for (const piece of text.slice(from, to).split('\n')) {
    const said = piece.trim();
    if (said !== '' && !said.startsWith('#')) {
      throw new StagerError('CONFIG_INVALID', `${file}, line ${line}: this is not a variable`, {
        next: 'Write NAME=VALUE, or # before a comment; quote a value of several lines.',
        details: { file, line },
      });
    }
    line += 1;
  }
}
