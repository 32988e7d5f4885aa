/**
 * Text that an app, a script or a user wrote, made safe to look at. Escaping for HTML is the template's business; here is
 * what a terminal or a reader would obey: colours become names of classes, all other sequences go, and characters that
 * can't be seen or that turn text around are shown as what they are.
 */
import { stripVTControlCharacters } from 'node:util';

/** A piece of a line that looks the same throughout. */
export interface Piece {
  readonly text: string;
  /** Names of classes of page.css; space between. */
  readonly style: string;
}

/** Pieces of one line; colours that change for every character would make a page of one line. */
const MAX_PIECES = 400;
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals begin a sequence with it
const COLOUR = /\u001b\[([\d;:]*)m/;

/** Controls, and what reorders (bidi) or hides text. Tabs stay. */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** What was written, with everything that can't be seen written out: `[U+202E]`. */
export function seen(text: string): string {
  return text.toWellFormed().replace(UNSEEN, (found) => {
    const code = (found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return `[U+${code}]`;
  });
}

/** One line of a log. */
export function styledPieces(line: string): readonly Piece[] {
  // A progress bar goes back to the beginning and writes over what was there.
  const last = line.replace(/\r+$/, '').split('\r').at(-1) ?? '';
  const parts = last.split(COLOUR);
  const style = new Style();
  const pieces: Piece[] = [];
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 1) {
      if (pieces.length < MAX_PIECES) style.take(part);
      continue;
    }
    const text = seen(stripVTControlCharacters(part));
    const before = pieces.at(-1);
    if (text === '') continue;
    if (before !== undefined && before.style === style.names) {
      pieces[pieces.length - 1] = { text: before.text + text, style: before.style };
    } else pieces.push({ text, style: style.names });
  }
  return pieces;
}

const FLAGS: ReadonlyMap<number, string> = new Map([
  [1, 'bold'],
  [2, 'faint'],
  [3, 'italic'],
  [4, 'underlined'],
  [9, 'struck'],
]);
const UNFLAGS: ReadonlyMap<number, readonly string[]> = new Map([
  [22, ['bold', 'faint']],
  [23, ['italic']],
  [24, ['underlined']],
  [29, ['struck']],
]);

/** What the next character looks like. Backgrounds are left out: any text stays readable. */
class Style {
  readonly #flags = new Set<string>();
  #colour = '';

  get names(): string {
    return [...this.#flags, ...(this.#colour === '' ? [] : [this.#colour])].join(' ');
  }

  take(parameters: string): void {
    const codes = parameters.split(/[;:]/).map(Number);
    for (let at = 0; at < codes.length; at++) {
      const code = codes[at] ?? 0;
      if (code === 38 || code === 48) at += this.#extended(code, codes.slice(at + 1));
      else this.#one(code);
    }
  }

  #one(code: number): void {
    const flag = FLAGS.get(code);
    if (code === 0) {
      this.#flags.clear();
      this.#colour = '';
    } else if (flag !== undefined) this.#flags.add(flag);
    else if (code >= 30 && code <= 37) this.#colour = `ansi-${code - 30}`;
    else if (code >= 90 && code <= 97) this.#colour = `ansi-${code - 82}`;
    else if (code === 39) this.#colour = '';
    for (const off of UNFLAGS.get(code) ?? []) this.#flags.delete(off);
  }

  /** `38;5;n` has the sixteen colours of a terminal as its first; others are left as they are. @returns codes used. */
  #extended(code: number, [kind, index = 0]: readonly number[]): number {
    if (kind !== 5) return kind === 2 ? 4 : 0;
    if (code === 38) this.#colour = index < 16 ? `ansi-${index}` : '';
    return 2;
  }
}
