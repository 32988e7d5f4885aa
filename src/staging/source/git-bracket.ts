/** Bracket expressions of git's wildmatch: `[a-z]`, `[!x]`, `[[:alpha:]]`, over bytes, never matching `/`. */

const CLASSES: Readonly<Record<string, (code: number) => boolean>> = {
  alnum: (c) => isDigit(c) || isAlpha(c),
  alpha: isAlpha,
  blank: (c) => c === 0x20 || c === 0x09,
  cntrl: (c) => c < 0x20 || c === 0x7f,
  digit: isDigit,
  graph: (c) => c > 0x20 && c < 0x7f,
  lower: (c) => c >= 0x61 && c <= 0x7a,
  print: (c) => c >= 0x20 && c < 0x7f,
  punct: (c) => c > 0x20 && c < 0x7f && !isDigit(c) && !isAlpha(c),
  space: (c) => c === 0x20 || (c >= 0x09 && c <= 0x0d),
  upper: (c) => c >= 0x41 && c <= 0x5a,
  xdigit: (c) => isDigit(c) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66),
};

/** The expression for the bracket that opens at `start`; undefined when it never closes or names no class. */
export function bracket(glob: string, start: number): { expression: string; next: number } | undefined {
  let index = start + 1;
  const negated = glob[index] === '!' || glob[index] === '^';
  if (negated) index += 1;
  const bytes = new Set<number>();
  /** Low end of a range that may follow; undefined where `-` is literal. */
  let previous: number | undefined;
  for (let first = true; first || glob[index] !== ']'; first = false) {
    const item = readItem(glob, index, previous);
    if (item === undefined) return undefined;
    for (const byte of item.bytes) bytes.add(byte);
    previous = item.previous;
    index = item.next;
  }
  return { expression: classOf(bytes, negated), next: index + 1 };
}

interface Item {
  readonly bytes: readonly number[];
  readonly previous: number | undefined;
  readonly next: number;
}

function readItem(glob: string, index: number, previous: number | undefined): Item | undefined {
  const char = glob[index];
  if (char === undefined) return undefined;
  if (char === '\\') return single(glob, index + 1);
  const after = glob[index + 1];
  if (char === '-' && previous !== undefined && after !== undefined && after !== ']') {
    const escaped = after === '\\' ? 1 : 0;
    const high = glob.charCodeAt(index + 1 + escaped);
    if (Number.isNaN(high)) return undefined;
    const bytes: number[] = [];
    for (let code = previous; code <= high; code += 1) bytes.push(code);
    return { bytes, previous: undefined, next: index + 2 + escaped };
  }
  if (char === '[' && after === ':') return namedClass(glob, index);
  return single(glob, index);
}

function single(glob: string, index: number): Item | undefined {
  const code = glob.charCodeAt(index);
  return Number.isNaN(code) ? undefined : { bytes: [code], previous: code, next: index + 1 };
}

function namedClass(glob: string, index: number): Item | undefined {
  const close = glob.indexOf(']', index + 2);
  if (close < 0) return undefined;
  // Without ":]" git takes the "[" as a member and reads on.
  if (close - index - 3 < 0 || glob[close - 1] !== ':') return single(glob, index);
  const test = CLASSES[glob.slice(index + 2, close - 1)];
  if (test === undefined) return undefined;
  const bytes: number[] = [];
  for (let code = 0; code < 256; code += 1) if (test(code)) bytes.push(code);
  return { bytes, previous: undefined, next: close + 1 };
}

function classOf(bytes: ReadonlySet<number>, negated: boolean): string {
  const members: string[] = [];
  for (let code = 1; code < 256; code += 1) {
    if (code !== 0x2f && bytes.has(code) !== negated) members.push(`\\x{${code.toString(16)}}`);
  }
  // RE2 has no empty class; this matches no byte.
  return members.length === 0 ? '[^\\x{0}-\\x{10FFFF}]' : `[${members.join('')}]`;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isAlpha(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}
