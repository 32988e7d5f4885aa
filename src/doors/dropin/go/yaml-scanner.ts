/**
 * YAML text as the tokens of YAML 1.1, in the order and at the time at which libyaml has them: which mistake is found,
 * and on which line, hangs on how far it looks ahead.
 */
import { YamlCursor } from './yaml-cursor.ts';
import { MAX_DEPTH, PossibleKeys } from './yaml-keys.ts';
import { anchorName, directive, tag } from './yaml-properties.ts';
import { blockScalar, plainScalar, quotedScalar } from './yaml-scalars.ts';
import type { Mark, Token } from './yaml-tokens.ts';

const FLOW_STARTS: Readonly<Record<string, Mark>> = { '[': 'flow-sequence', '{': 'flow-mapping' };
const FLOW_ENDS: Readonly<Record<string, Mark>> = { ']': 'flow-sequence-end', '}': 'flow-mapping-end' };

/** Reads the tokens of one text. */
export class Scanner {
  readonly #cursor: YamlCursor;
  readonly #queue: Token[] = [];
  #taken = 0;
  /** Columns of the open block collections; -1 outside of all. */
  readonly #indents: number[] = [-1];
  readonly #keys: PossibleKeys;
  #keyAllowed = true;

  constructor(text: string) {
    this.#cursor = new YamlCursor(text);
    this.#keys = new PossibleKeys(this.#cursor);
  }

  /** The next token. @throws YamlProblem */
  peek(): Token {
    for (;;) {
      const head = this.#queue[0];
      if (head !== undefined && !this.#keys.awaits(this.#taken)) return head;
      this.#fetch();
    }
  }

  /** Leaves the next token behind and returns it. */
  take(): Token {
    const token = this.peek();
    this.#queue.shift();
    this.#taken++;
    return token;
  }

  get #indent(): number {
    return this.#indents.at(-1) ?? -1;
  }

  get #isFlow(): boolean {
    return this.#keys.isFlow;
  }

  /** Number of the token that is read next. */
  get #number(): number {
    return this.#taken + this.#queue.length;
  }

  #saveKey(): void {
    if (!this.#keyAllowed) return;
    this.#keys.save(this.#number, !this.#isFlow && this.#indent === this.#cursor.column);
  }

  /** Puts a token before the one numbered `before`; behind all when that one was taken already, as the original does. */
  #insert(token: Token, before: number): void {
    const place = before - this.#taken;
    this.#queue.splice(place < 0 ? this.#queue.length : place, 0, token);
  }

  /** Opens a block collection at `column`, unless one is open there; its token goes before the one numbered `before`. */
  #openBlock(kind: Mark, at: { readonly line: number; readonly column: number }, before?: number): void {
    if (this.#isFlow || this.#indent >= at.column) return;
    this.#indents.push(at.column);
    if (this.#indents.length > MAX_DEPTH + 1) {
      throw this.#cursor.problem(`exceeded max depth of ${MAX_DEPTH}`);
    }
    this.#insert({ kind, line: at.line }, before ?? this.#number);
  }

  #closeBlocks(column: number): void {
    if (this.#isFlow) return;
    while (this.#indent > column) {
      this.#queue.push({ kind: 'block-end', line: this.#cursor.line });
      this.#indents.pop();
    }
  }

  #fetch(): void {
    this.#skipToToken();
    const cursor = this.#cursor;
    this.#closeBlocks(cursor.column);
    const next = cursor.at();
    if (cursor.isEnd()) this.#endStream();
    else if (cursor.column === 0 && next === '%') this.#directive();
    else if (cursor.isDocumentIndicator()) this.#documentIndicator();
    else if (FLOW_STARTS[next] !== undefined) this.#startFlow(FLOW_STARTS[next]);
    else if (FLOW_ENDS[next] !== undefined) this.#endFlow(FLOW_ENDS[next]);
    else if (next === ',') this.#mark('flow-entry', true);
    else if (next === '-' && cursor.isBlankOrEnd(1)) this.#blockEntry();
    else if (next === '?' && (this.#isFlow || cursor.isBlankOrEnd(1))) this.#explicitKey();
    else if (next === ':' && (this.#isFlow || cursor.isBlankOrEnd(1))) this.#value();
    else this.#content(next);
  }

  #content(next: string): void {
    const cursor = this.#cursor;
    const { line } = cursor;
    if (!this.#isFlow && (next === '|' || next === '>')) {
      this.#keys.drop();
      this.#keyAllowed = true;
      this.#queue.push({ kind: 'scalar', line, value: blockScalar(cursor, this.#indent), plain: false });
      return;
    }
    if (!'*&!\'"'.includes(next) && !this.#startsPlain(next)) {
      throw cursor.problem('found character that cannot start any token');
    }
    this.#saveKey();
    this.#keyAllowed = false;
    if (next === '*') this.#queue.push({ kind: 'alias', line, name: anchorName(cursor) });
    else if (next === '&') this.#queue.push({ kind: 'anchor', line, name: anchorName(cursor) });
    else if (next === '!') this.#queue.push({ kind: 'tag', line, ...tag(cursor) });
    else if (next === "'" || next === '"') {
      this.#queue.push({ kind: 'scalar', line, value: quotedScalar(cursor), plain: false });
    } else {
      const read = plainScalar(cursor, { indent: this.#indent, isFlow: this.#isFlow });
      if (read.keyMayFollow) this.#keyAllowed = true;
      this.#queue.push({ kind: 'scalar', line, value: read.text, plain: true });
    }
  }

  #startsPlain(next: string): boolean {
    const cursor = this.#cursor;
    if (next === '-') return !cursor.isBlank(1);
    if (next === '?' || next === ':') return !this.#isFlow && !cursor.isBlankOrEnd(1);
    return !cursor.isBlankOrEnd() && !',[]{}#&*!|>\'"%@`'.includes(next);
  }

  /** Blanks, comments and line breaks. A tab is a blank only where no key may begin. */
  #skipToToken(): void {
    const cursor = this.#cursor;
    for (;;) {
      while (cursor.at() === ' ' || (cursor.at() === '\t' && (this.#isFlow || !this.#keyAllowed)))
        cursor.skip();
      cursor.skipComment();
      if (!cursor.isBreak()) return;
      cursor.takeBreak();
      if (!this.#isFlow) this.#keyAllowed = true;
    }
  }

  /** One character that is a token by itself; no key ends with it. */
  #mark(kind: Mark, keyAllowed: boolean, length = 1): void {
    this.#keys.drop();
    this.#keyAllowed = keyAllowed;
    this.#add(kind, length);
  }

  #add(kind: Mark, length = 1): void {
    this.#queue.push({ kind, line: this.#cursor.line });
    this.#cursor.skip(length);
  }

  #endStream(): void {
    const cursor = this.#cursor;
    if (cursor.column !== 0) {
      cursor.column = 0;
      cursor.line++;
    }
    this.#closeBlocks(-1);
    this.#mark('stream-end', false, 0);
  }

  #directive(): void {
    this.#closeBlocks(-1);
    this.#keys.drop();
    this.#keyAllowed = false;
    const { line } = this.#cursor;
    this.#queue.push({ line, ...directive(this.#cursor) });
  }

  #documentIndicator(): void {
    this.#closeBlocks(-1);
    this.#mark(this.#cursor.at() === '-' ? 'document-start' : 'document-end', false, 3);
  }

  #startFlow(kind: Mark): void {
    this.#saveKey();
    this.#keys.openFlow(this.#number);
    this.#keyAllowed = true;
    this.#add(kind);
  }

  #endFlow(kind: Mark): void {
    this.#keys.drop();
    this.#keys.closeFlow();
    this.#keyAllowed = false;
    this.#add(kind);
  }

  #blockEntry(): void {
    this.#demandPlace('block sequence entries are not allowed in this context');
    this.#openBlock('block-sequence', this.#cursor);
    this.#mark('block-entry', true);
  }

  #explicitKey(): void {
    this.#demandPlace('mapping keys are not allowed in this context');
    this.#openBlock('block-mapping', this.#cursor);
    this.#mark('key', !this.#isFlow);
  }

  #demandPlace(words: string): void {
    if (!this.#isFlow && !this.#keyAllowed) throw this.#cursor.problem(words);
  }

  #value(): void {
    const key = this.#keys.valid();
    if (key === undefined) {
      this.#demandPlace('mapping values are not allowed in this context');
      this.#openBlock('block-mapping', this.#cursor);
      this.#keyAllowed = !this.#isFlow;
    } else {
      this.#insert({ kind: 'key', line: key.line }, key.token);
      this.#openBlock('block-mapping', key, key.token);
      this.#keys.forget(key);
      this.#keyAllowed = false;
    }
    this.#add('value');
  }
}
