/**
 * JSON as Go's encoding/json reads and writes it: the message for each mistake is printed by the drop-in, and the
 * bytes written reach Cloud Controller and the app's environment.
 */
import { quote } from '../../../words/go-quote.ts';
import { LONE_NOT_UTF8 } from './utf8.ts';

/** A parsed value. Objects are maps in document order; of equal keys the last wins. */
export type GoJson = null | boolean | number | string | readonly GoJson[] | ReadonlyMap<string, GoJson>;

/** The value, or Go's message. */
export type JsonOutcome =
  | { readonly ok: true; readonly value: GoJson }
  | { readonly ok: false; readonly message: string };

/** An object with every pair that was written: Go fills a struct with one after the other. */
class WrittenObject extends Map<string, GoJson> {
  readonly pairs: (readonly [string, GoJson])[] = [];
}

/** The pairs of an object as they were written, doubled names included. */
export function pairsOf(object: ReadonlyMap<string, GoJson>): readonly (readonly [string, GoJson])[] {
  return object instanceof WrittenObject ? object.pairs : [...object];
}

class Syntax extends Error {}

/** Go's limit is 10,000; this reader is recursive, and nothing that is meant nests deeper than this. */
const MAX_DEPTH = 1000;

/** Parses one document. */
export function parseGoJson(text: string): JsonOutcome {
  const reader = new Reader(text);
  try {
    const value = reader.value('looking for beginning of value');
    reader.end();
    return { ok: true, value };
  } catch (error) {
    if (error instanceof Syntax) return { ok: false, message: error.message };
    throw error;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(context: string): GoJson {
    this.#blank();
    const first = this.#text[this.#at];
    if (first === '{') return this.#object();
    if (first === '[') return this.#array();
    if (first === '"') return this.#string();
    if (first === 't') return this.#literal('true', true);
    if (first === 'f') return this.#literal('false', false);
    if (first === 'n') return this.#literal('null', null);
    if (first !== undefined && /[-0-9]/.test(first)) return this.#number();
    throw this.#unexpected(context);
  }

  end(): void {
    this.#blank();
    if (this.#at < this.#text.length) throw this.#unexpected('after top-level value');
  }

  #blank(): void {
    while (/^[ \t\r\n]$/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #unexpected(context: string): Syntax {
    // At the end the original reads a blank more, which is a mistake of its own inside a word or a number.
    const isInside = /^in (?!string literal)|^after decimal/.test(context);
    const character = this.#text[this.#at] ?? (isInside ? ' ' : undefined);
    if (character === undefined) return new Syntax('unexpected end of JSON input');
    return new Syntax(`invalid character ${quoteByte(character)} ${context}`);
  }

  #deeper(): void {
    if (++this.#depth > MAX_DEPTH) throw new Syntax('exceeded max depth');
  }

  #object(): GoJson {
    const entries = new WrittenObject();
    this.#deeper();
    this.#at++;
    this.#blank();
    for (let first = true; ; first = false) {
      this.#blank();
      if (first && this.#text[this.#at] === '}') break;
      if (this.#text[this.#at] !== '"') throw this.#unexpected('looking for beginning of object key string');
      const key = this.#string();
      this.#blank();
      if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key');
      this.#at++;
      const value = this.value('looking for beginning of value');
      entries.set(key, value);
      entries.pairs.push([key, value]);
      this.#blank();
      if (this.#text[this.#at] === '}') break;
      if (this.#text[this.#at] !== ',') throw this.#unexpected('after object key:value pair');
      this.#at++;
    }
    this.#at++;
    this.#depth--;
    return entries;
  }

  #array(): GoJson {
    const items: GoJson[] = [];
    this.#deeper();
    this.#at++;
    this.#blank();
    if (this.#text[this.#at] === ']') {
      this.#at++;
      this.#depth--;
      return items;
    }
    for (;;) {
      items.push(this.value('looking for beginning of value'));
      this.#blank();
      const next = this.#text[this.#at];
      if (next !== ',' && next !== ']') throw this.#unexpected('after array element');
      this.#at++;
      if (next === ']') break;
    }
    this.#depth--;
    return items;
  }

  #literal<T>(word: string, value: T): T {
    for (let i = 1; i < word.length; i++) {
      this.#at++;
      if (this.#text[this.#at] !== word[i]) {
        throw this.#unexpected(`in literal ${word} (expecting '${word[i] ?? ''}')`);
      }
    }
    this.#at++;
    return value;
  }

  #number(): number {
    const start = this.#at;
    const digits = (context: string): void => {
      if (!/^\d$/.test(this.#text[this.#at] ?? '')) throw this.#unexpected(context);
      while (/^\d$/.test(this.#text[this.#at] ?? '')) this.#at++;
    };
    if (this.#text[this.#at] === '-') this.#at++;
    if (this.#text[this.#at] === '0') this.#at++;
    else digits('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at++;
      digits('after decimal point in numeric literal');
    }
    if (/^[eE]$/.test(this.#text[this.#at] ?? '')) {
      this.#at++;
      if (/^[+-]$/.test(this.#text[this.#at] ?? '')) this.#at++;
      digits('in exponent of numeric literal');
    }
    return Number(this.#text.slice(start, this.#at));
  }

  #string(): string {
    const start = this.#at++;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined || character < ' ') throw this.#unexpected('in string literal');
      this.#at++;
      if (character === '"') break;
      if (character !== '\\') continue;
      const escaped = this.#text[this.#at];
      if (escaped === undefined || !'bfnrt"\\/u'.includes(escaped)) {
        throw this.#unexpected('in string escape code');
      }
      this.#at++;
      if (escaped !== 'u') continue;
      for (let i = 0; i < 4; i++, this.#at++) {
        if (!/^[0-9a-fA-F]$/.test(this.#text[this.#at] ?? '')) {
          throw this.#unexpected('in \\u hexadecimal character escape');
        }
      }
    }
    const decoded: unknown = JSON.parse(this.#text.slice(start, this.#at));
    return String(decoded).toWellFormed();
  }
}

/** The first byte of `character` as Go names it in a message. */
function quoteByte(character: string): string {
  if (character === "'") return "'\\''";
  if (character === '"') return "'\"'";
  const byte = Buffer.from(character)[0] ?? 0;
  return `'${quote(String.fromCodePoint(byte)).slice(1, -1)}'`;
}

/** A value that Go's encoder refuses, with the message it gives. */
export class Unencodable {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** Characters that Go's encoder escapes beyond JSON's own rules. */
const ESCAPED = /[<>&\u2028\u2029]/g;

/**
 * Compact JSON. A map is a Go map: sorted by the bytes of its keys. A plain object is a Go struct: fields in
 * their order, undefined ones left out.
 *
 * @throws Error with Go's message for a value that has no JSON form.
 */
export function encodeJson(value: unknown): string {
  if (value instanceof Unencodable) throw new Error(value.message);
  if (Array.isArray(value)) return `[${value.map((it) => encodeJson(it)).join(',')}]`;
  if (value instanceof Map) {
    const sorted = [...value]
      .map(([key, item]): [string, unknown] => [String(key), item])
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return `{${sorted.map(([key, item]) => `${encodeJson(key)}:${encodeJson(item)}`).join(',')}}`;
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return `{${fields.map(([key, field]) => `${encodeJson(key)}:${encodeJson(field)}`).join(',')}}`;
  }
  if (typeof value === 'number') return encodeNumber(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string') return encodeString(value);
  return JSON.stringify(value ?? null);
}

function encodeString(text: string): string {
  const parts = text.split(LONE_NOT_UTF8).map((part) => JSON.stringify(part.toWellFormed()).slice(1, -1));
  const escaped = parts
    .join('\\ufffd')
    .replace(ESCAPED, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `"${escaped}"`;
}

function encodeNumber(value: number): string {
  if (Number.isNaN(value)) throw new Error('json: unsupported value: NaN');
  if (!Number.isFinite(value)) throw new Error(`json: unsupported value: ${value > 0 ? '+' : '-'}Inf`);
  return Object.is(value, -0) ? '-0' : String(value);
}
