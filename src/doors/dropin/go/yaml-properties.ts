/** Anchors, tags and directives: the words of YAML that are not content. */
import type { YamlCursor } from './yaml-cursor.ts';

/** A tag as it is written: `!!str` is the handle `!!` and the suffix `str`; `!<x>` has no handle. */
export interface WrittenTag {
  readonly handle: string;
  readonly suffix: string;
}

/** What a line that begins with `%` says. */
export type Directive =
  | { readonly kind: 'version'; readonly version: string }
  | { readonly kind: 'tag-directive'; readonly handle: string; readonly prefix: string };

const WORD = /^[0-9A-Za-z_-]$/;
const URI = /^[0-9A-Za-z_\-;/?:@&=+$,.!~*'()[\]%]$/;

function takeWord(cursor: YamlCursor): string {
  let word = '';
  while (WORD.test(cursor.at())) word += cursor.take();
  return word;
}

/** The name behind `&` or `*`. */
export function anchorName(cursor: YamlCursor): string {
  cursor.skip();
  const name = takeWord(cursor);
  if (name === '' || !(cursor.isBlankOrEnd() || cursor.isOneOf('?:,]}%@`'))) {
    throw cursor.problem('did not find expected alphabetic or numeric character');
  }
  return name;
}

/** A tag, starting with its `!`. */
export function tag(cursor: YamlCursor): WrittenTag {
  const written = cursor.at(1) === '<' ? verbatim(cursor) : shorthand(cursor);
  if (!cursor.isBlankOrEnd()) throw cursor.problem('did not find expected whitespace or line break');
  return written;
}

function verbatim(cursor: YamlCursor): WrittenTag {
  cursor.skip(2);
  const suffix = uri(cursor, '');
  if (cursor.at() !== '>') throw cursor.problem("did not find the expected '>'");
  cursor.skip();
  return { handle: '', suffix };
}

function shorthand(cursor: YamlCursor): WrittenTag {
  const head = handle(cursor);
  if (head.length > 1 && head.endsWith('!')) return { handle: head, suffix: uri(cursor, '') };
  const suffix = uri(cursor, head);
  return suffix === '' ? { handle: '', suffix: '!' } : { handle: '!', suffix };
}

function handle(cursor: YamlCursor): string {
  if (cursor.at() !== '!') throw cursor.problem("did not find expected '!'");
  const head = cursor.take() + takeWord(cursor);
  return cursor.at() === '!' ? head + cursor.take() : head;
}

/** @param head what was read of it before, with its `!`. */
function uri(cursor: YamlCursor, head: string): string {
  let text = head.slice(1);
  let isThere = head !== '';
  while (URI.test(cursor.at())) {
    text += cursor.at() === '%' ? escapedCharacter(cursor) : cursor.take();
    isThere = true;
  }
  if (!isThere) throw cursor.problem('did not find expected tag URI');
  return text;
}

/** One character as `%XX`, once for each of its bytes. */
function escapedCharacter(cursor: YamlCursor): string {
  const bytes: number[] = [];
  for (let left = 1; left > 0; left--) {
    const digits = cursor.at(1) + cursor.at(2);
    if (cursor.at() !== '%' || !/^[0-9a-fA-F]{2}$/.test(digits)) {
      throw cursor.problem('did not find URI escaped octet');
    }
    const octet = Number.parseInt(digits, 16);
    if (bytes.length > 0 && (octet & 0xc0) !== 0x80) {
      throw cursor.problem('found an incorrect trailing UTF-8 octet');
    }
    if (bytes.length === 0) {
      left = widthOf(octet);
      if (left === 0) throw cursor.problem('found an incorrect leading UTF-8 octet');
    }
    bytes.push(octet);
    cursor.skip(3);
  }
  return Buffer.from(bytes).toString('utf8');
}

function widthOf(octet: number): number {
  if (octet < 0x80) return 1;
  if ((octet & 0xe0) === 0xc0) return 2;
  if ((octet & 0xf0) === 0xe0) return 3;
  return (octet & 0xf8) === 0xf0 ? 4 : 0;
}

/** A directive with the rest of its line. */
export function directive(cursor: YamlCursor): Directive {
  cursor.skip();
  const name = takeWord(cursor);
  if (name === '') throw cursor.problem('could not find expected directive name');
  if (!cursor.isBlankOrEnd()) throw cursor.problem('found unexpected non-alphabetical character');
  if (name !== 'YAML' && name !== 'TAG') throw cursor.problem('found unknown directive name');
  cursor.skipBlanks();
  const read = name === 'YAML' ? version(cursor) : tagDirective(cursor);
  cursor.skipBlanks();
  cursor.skipComment();
  if (!cursor.isBreakOrEnd()) throw cursor.problem('did not find expected comment or line break');
  if (cursor.isBreak()) cursor.takeBreak();
  return read;
}

function version(cursor: YamlCursor): Directive {
  const major = versionNumber(cursor);
  if (cursor.at() !== '.') throw cursor.problem("did not find expected digit or '.' character");
  cursor.skip();
  return { kind: 'version', version: `${major}.${versionNumber(cursor)}` };
}

function versionNumber(cursor: YamlCursor): number {
  let digits = '';
  while (/^\d$/.test(cursor.at())) {
    if (digits.length === 2) throw cursor.problem('found extremely long version number');
    digits += cursor.take();
  }
  if (digits === '') throw cursor.problem('did not find expected version number');
  return Number(digits);
}

function tagDirective(cursor: YamlCursor): Directive {
  const name = handle(cursor);
  if (name !== '!' && !name.endsWith('!')) throw cursor.problem("did not find expected '!'");
  if (!cursor.isBlank()) throw cursor.problem('did not find expected whitespace');
  cursor.skipBlanks();
  const prefix = uri(cursor, '');
  if (!cursor.isBlankOrEnd()) throw cursor.problem('did not find expected whitespace or line break');
  return { kind: 'tag-directive', handle: name, prefix };
}
