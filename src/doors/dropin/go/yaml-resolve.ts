/** What a scalar means to Go's yaml.v2: the types of YAML 1.1, without base 60. */
import { parseInteger } from './text.ts';
import { YamlProblem } from './yaml-cursor.ts';

const PREFIX = 'tag:yaml.org,2002:';

/** Long tags as decoding compares them. */
export const TAG = {
  binary: `${PREFIX}binary`,
  bool: `${PREFIX}bool`,
  float: `${PREFIX}float`,
  int: `${PREFIX}int`,
  map: `${PREFIX}map`,
  merge: `${PREFIX}merge`,
  null: `${PREFIX}null`,
  seq: `${PREFIX}seq`,
  str: `${PREFIX}str`,
  timestamp: `${PREFIX}timestamp`,
} as const;

/** A scalar's tag and value. A timestamp's value is its text. */
export interface ResolvedScalar {
  readonly tag: string;
  readonly value: null | boolean | bigint | number | string;
}

/** `!!str` for the long form. */
export function shortTag(tag: string): string {
  return tag.startsWith(PREFIX) ? `!!${tag.slice(PREFIX.length)}` : tag;
}

const WORDS = new Map<string, ResolvedScalar>([
  ...words({ tag: TAG.bool, value: true }, 'y Y yes Yes YES true True TRUE on On ON'),
  ...words({ tag: TAG.bool, value: false }, 'n N no No NO false False FALSE off Off OFF'),
  ...words({ tag: TAG.null, value: null }, '~ null Null NULL'),
  ['', { tag: TAG.null, value: null }],
  ...words({ tag: TAG.float, value: Number.NaN }, '.nan .NaN .NAN'),
  ...words({ tag: TAG.float, value: Number.POSITIVE_INFINITY }, '.inf .Inf .INF +.inf +.Inf +.INF'),
  ...words({ tag: TAG.float, value: Number.NEGATIVE_INFINITY }, '-.inf -.Inf -.INF'),
  ['<<', { tag: TAG.merge, value: '<<' }],
]);

function words(meaning: ResolvedScalar, list: string): [string, ResolvedScalar][] {
  return list.split(' ').map((word) => [word, meaning]);
}

const RESOLVABLE = new Set<string>(['', TAG.str, TAG.bool, TAG.int, TAG.float, TAG.null, TAG.timestamp]);

/** The meaning of the plain or explicitly tagged scalar `text`. @throws YamlProblem when the tag does not fit. */
export function resolveScalar(tag: string, text: string): ResolvedScalar {
  if (tag === TAG.str || !RESOLVABLE.has(tag)) return { tag, value: text };
  const guess = guessScalar(tag, text);
  if (tag === '' || tag === guess.tag) return guess;
  if (tag === TAG.float && typeof guess.value === 'bigint') return { tag, value: Number(guess.value) };
  throw new YamlProblem(`cannot decode ${shortTag(guess.tag)} \`${text}\` as a ${shortTag(tag)}`);
}

function guessScalar(tag: string, text: string): ResolvedScalar {
  const string: ResolvedScalar = { tag: TAG.str, value: text };
  const known = WORDS.get(text);
  if (known !== undefined && (text === '' || /^[-+.0-9yYnNtTfFoO~<]/.test(text))) {
    return text === '<<' ? string : known;
  }
  if (text.startsWith('.')) {
    return /^\.\d+(?:[eE][-+]?\d+)?$/.test(text) ? { tag: TAG.float, value: Number(text) } : string;
  }
  if (!/^[-+0-9]/.test(text)) return string;
  if ((tag === '' || tag === TAG.timestamp) && isTimestamp(text)) return { tag: TAG.timestamp, value: text };
  const digits = text.replaceAll('_', '');
  const integer = parseInteger(digits);
  if (typeof integer === 'bigint') return { tag: TAG.int, value: integer };
  if (/^\d+$/.test(digits) && integer === 'value out of range' && BigInt(digits) < 2n ** 64n) {
    return { tag: TAG.int, value: BigInt(digits) };
  }
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(digits)) {
    const value = Number(digits);
    if (Number.isFinite(value)) return { tag: TAG.float, value };
  }
  return string;
}

const TIMESTAMP =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})| (\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?)?$/;

function isTimestamp(text: string): boolean {
  const match = TIMESTAMP.exec(text);
  if (match === null) return false;
  const [year = 0, month = 0, day = 0, ...time] = match.slice(1).map((it) => Number(it ?? 0));
  const [h1 = 0, m1 = 0, s1 = 0, h2 = 0, m2 = 0, s2 = 0] = time;
  const days = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  const inDay = Math.max(h1, h2) < 24 && Math.max(m1, m2) < 60 && Math.max(s1, s2) < 60;
  return month >= 1 && month <= 12 && day >= 1 && day <= days && inDay;
}
