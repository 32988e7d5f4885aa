/** Scalars: quoted, plain, literal and folded, with the folding of YAML 1.1. */
import type { YamlCursor } from './yaml-cursor.ts';

/** Line breaks and blanks between two words of a scalar that goes over several lines. */
class Gap {
  blanks = '';
  /** The first line break; empty for one that was escaped. */
  first = '';
  more = '';
  isBroken = false;

  /** Leaves blanks and breaks behind. @param onBlank called before each blank. */
  take(cursor: YamlCursor, onBlank?: () => void): void {
    while (cursor.isBlank() || cursor.isBreak()) {
      if (cursor.isBlank()) {
        onBlank?.();
        const blank = cursor.take();
        if (!this.isBroken) this.blanks += blank;
      } else if (this.isBroken) this.more += cursor.takeBreak();
      else {
        this.blanks = '';
        this.first = cursor.takeBreak();
        this.isBroken = true;
      }
    }
  }

  /** What stands for the gap in the scalar. */
  text(): string {
    if (!this.isBroken) return this.blanks;
    if (this.first !== '\n') return this.first + this.more;
    return this.more === '' ? ' ' : this.more;
  }
}

/** A quoted scalar, from its first quote to behind its last. */
export function quotedScalar(cursor: YamlCursor): string {
  const quote = cursor.take();
  let text = '';
  for (;;) {
    if (cursor.isDocumentIndicator()) throw cursor.problem('found unexpected document indicator');
    if (cursor.isEnd()) throw cursor.problem('found unexpected end of stream');
    const gap = new Gap();
    while (!cursor.isBlankOrEnd()) {
      if (quote === "'" && cursor.at() === "'" && cursor.at(1) === "'") {
        text += "'";
        cursor.skip(2);
      } else if (cursor.at() === quote) break;
      else if (quote === '"' && cursor.at() === '\\' && cursor.isBreak(1)) {
        cursor.skip();
        cursor.takeBreak();
        gap.isBroken = true;
        break;
      } else text += quote === '"' && cursor.at() === '\\' ? escaped(cursor) : cursor.take();
    }
    if (cursor.at() === quote) break;
    gap.take(cursor);
    text += gap.text();
  }
  cursor.skip();
  return text;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  t: '\t',
  '\t': '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\x1b',
  ' ': ' ',
  '"': '"',
  "'": "'",
  '\\': '\\',
  N: '\u0085',
  _: '\u00a0',
  L: '\u2028',
  P: '\u2029',
};
const CODE_LENGTHS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

function escaped(cursor: YamlCursor): string {
  const kind = cursor.at(1);
  const length = CODE_LENGTHS[kind];
  const plain = ESCAPES[kind];
  if (plain === undefined && length === undefined) throw cursor.problem('found unknown escape character');
  cursor.skip(2);
  if (length === undefined) return plain ?? '';
  const digits = Array.from({ length }, (_, index) => cursor.at(index)).join('');
  if (!/^[0-9a-fA-F]+$/.test(digits)) throw cursor.problem('did not find expected hexdecimal number');
  const code = Number.parseInt(digits, 16);
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) {
    throw cursor.problem('found invalid Unicode character escape code');
  }
  cursor.skip(length);
  return String.fromCodePoint(code);
}

/** A plain scalar, and whether it ended with line breaks behind it: then a key may follow. */
export function plainScalar(
  cursor: YamlCursor,
  context: { readonly indent: number; readonly isFlow: boolean },
): { readonly text: string; readonly keyMayFollow: boolean } {
  const indent = context.indent + 1;
  const isBelow = (): boolean => cursor.column < indent;
  let text = '';
  let gap = new Gap();
  for (;;) {
    if (cursor.isDocumentIndicator() || cursor.at() === '#') break;
    while (!cursor.isBlankOrEnd()) {
      if (cursor.at() === ':' && cursor.isBlankOrEnd(1)) break;
      if (context.isFlow && cursor.isOneOf(',?[]{}')) break;
      text += gap.text() + cursor.take();
      gap = new Gap();
    }
    if (!cursor.isBlank() && !cursor.isBreak()) break;
    gap.take(cursor, () => {
      if (gap.isBroken && isBelow() && cursor.at() === '\t') {
        throw cursor.problem('found a tab character that violates indentation');
      }
    });
    if (!context.isFlow && isBelow()) break;
  }
  return { text, keyMayFollow: gap.isBroken };
}

/** A block scalar, from its indicator on. @param parent indentation of the collection that it is in. */
export function blockScalar(cursor: YamlCursor, parent: number): string {
  const isLiteral = cursor.take() === '|';
  const { chomping, increment } = blockHeader(cursor);
  let indent = increment === 0 ? 0 : Math.max(parent, 0) + increment;
  let text = '';
  let first = '';
  let wasIndented = false;
  let { breaks: more, indent: found } = blockBreaks(cursor, indent, parent);
  indent = found;
  while (cursor.column === indent && !cursor.isEnd()) {
    const isIndented = cursor.isBlank();
    const isFolded = !isLiteral && !wasIndented && !isIndented && first === '\n';
    text += (isFolded ? (more === '' ? ' ' : '') : first) + more;
    wasIndented = isIndented;
    while (!cursor.isBreakOrEnd()) text += cursor.take();
    first = cursor.isBreak() ? cursor.takeBreak() : '';
    ({ breaks: more } = blockBreaks(cursor, indent, parent));
  }
  if (chomping !== '-') text += first;
  return chomping === '+' ? text + more : text;
}

/** What follows `|` or `>` on its line. An increment of 0: none was given. */
function blockHeader(cursor: YamlCursor): { readonly chomping: string; readonly increment: number } {
  const chomp = (): string => (cursor.isOneOf('+-') ? cursor.take() : '');
  const digit = (): number => {
    if (!/^\d$/.test(cursor.at())) return 0;
    if (cursor.at() === '0') throw cursor.problem('found an indentation indicator equal to 0');
    return Number(cursor.take());
  };
  let chomping = chomp();
  const increment = digit();
  if (chomping === '' && increment > 0) chomping = chomp();
  cursor.skipBlanks();
  cursor.skipComment();
  if (!cursor.isBreakOrEnd()) throw cursor.problem('did not find expected comment or line break');
  if (cursor.isBreak()) cursor.takeBreak();
  return { chomping, increment };
}

/** Empty lines, and the indentation of the next one. An `indent` of 0 is found out here, from the deepest line. */
function blockBreaks(
  cursor: YamlCursor,
  indent: number,
  parent: number,
): { readonly breaks: string; readonly indent: number } {
  let breaks = '';
  let deepest = 0;
  for (;;) {
    while ((indent === 0 || cursor.column < indent) && cursor.at() === ' ') cursor.skip();
    deepest = Math.max(deepest, cursor.column);
    if ((indent === 0 || cursor.column < indent) && cursor.at() === '\t') {
      throw cursor.problem('found a tab character where an indentation space is expected');
    }
    if (!cursor.isBreak()) break;
    breaks += cursor.takeBreak();
  }
  return { breaks, indent: indent === 0 ? Math.max(deepest, parent + 1, 1) : indent };
}
