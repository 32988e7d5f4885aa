/** A position in a YAML text that advances character by character. */

/** What is read behind the end; texts that hold it are refused before. */
export const END = '\0';

const BREAKS = new Set(['\n', '\r', '\u0085', '\u2028', '\u2029']);

/** A document that can't be decoded at all; the message is the text after `yaml: `. */
export class YamlProblem extends Error {}

/** Lines and columns count from 0, characters are code points. */
export class YamlCursor {
  readonly #characters: readonly string[];
  index = 0;
  line = 0;
  column = 0;

  constructor(text: string) {
    this.#characters = [...text];
  }

  /** The character `offset` further on. */
  at(offset = 0): string {
    return this.#characters[this.index + offset] ?? END;
  }

  /** Whether one of the characters of `set` comes next. */
  isOneOf(set: string): boolean {
    return set.includes(this.at());
  }

  isEnd(): boolean {
    return this.at() === END;
  }

  isBlank(offset = 0): boolean {
    const next = this.at(offset);
    return next === ' ' || next === '\t';
  }

  isBreak(offset = 0): boolean {
    return BREAKS.has(this.at(offset));
  }

  isBreakOrEnd(offset = 0): boolean {
    return this.isBreak(offset) || this.at(offset) === END;
  }

  isBlankOrEnd(offset = 0): boolean {
    return this.isBlank(offset) || this.isBreakOrEnd(offset);
  }

  /** `---` or `...` at the beginning of a line, alone or with a blank behind it. */
  isDocumentIndicator(): boolean {
    if (this.column !== 0 || !this.isBlankOrEnd(3)) return false;
    const three = this.at() + this.at(1) + this.at(2);
    return three === '---' || three === '...';
  }

  skip(count = 1): void {
    this.index += count;
    this.column += count;
  }

  /** The next character, which is left behind. */
  take(): string {
    const next = this.at();
    this.skip();
    return next;
  }

  /** The next line break, which is left behind, as it counts in a scalar. */
  takeBreak(): string {
    const first = this.at();
    this.index += first === '\r' && this.at(1) === '\n' ? 2 : 1;
    this.line++;
    this.column = 0;
    return first === '\u2028' || first === '\u2029' ? first : '\n';
  }

  skipBlanks(): void {
    while (this.isBlank()) this.skip();
  }

  skipComment(): void {
    if (this.at() !== '#') return;
    while (!this.isBreakOrEnd()) this.skip();
  }

  /** A problem of the scanner's here: libyaml counts lines from 0, prints one more, and the first line not at all. */
  problem(words: string): YamlProblem {
    return new YamlProblem(this.line > 0 ? `line ${this.line + 1}: ${words}` : words);
  }
}
