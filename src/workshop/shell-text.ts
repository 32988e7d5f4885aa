/**
 * What of a shell script is code: without comments, without what stands in single quotes, and with here-documents and
 * functions told apart. It follows quotes, `$( )` and here-documents across lines; it is not a parser of the language.
 */

/** One line of a script. */
export interface ShellLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** `document`: of a here-document, of which the shell replaces variables and commands only. */
  readonly kind: 'code' | 'document';
  /** Of a function, which has arguments of its own. */
  readonly inFunction: boolean;
}

type Open = 'single' | 'ansi' | 'double' | 'parenthesis';

interface HereDocument {
  readonly end: string;
  readonly literal: boolean;
  readonly tabs: boolean;
}

const HERE = /^<<(-?)[ \t]*(\\?)(["']?)([A-Za-z_][\w.-]*)\3/;
const FUNCTION = /^([ \t]*)(?:function[ \t]+[\w:.-]+(?:[ \t]*\(\))?|[\w:.-]+[ \t]*\(\))[ \t]*(?:\{.*)?$/;

/** The lines that a shell acts on, in order. */
export function* shellText(lines: readonly string[]): Generator<ShellLine> {
  const open: Open[] = [];
  const documents: HereDocument[] = [];
  let functionEnd: string | undefined;
  for (const [index, whole] of lines.entries()) {
    const line = index + 1;
    const inFunction = functionEnd !== undefined;
    const [document] = documents;
    if (document !== undefined) {
      if ((document.tabs ? whole.replace(/^\t+/, '') : whole) === document.end) documents.shift();
      else if (!document.literal) yield { line, text: whole, kind: 'document', inFunction };
      continue;
    }
    const startsOutside = open.length === 0;
    const text = codeOf(whole, open, documents);
    const begins = startsOutside && !inFunction ? FUNCTION.exec(text) : null;
    if (begins !== null && !/\}\s*$/.test(text)) functionEnd = `${begins[1] ?? ''}}`;
    if (text.trim() !== '') yield { line, text, kind: 'code', inFunction: inFunction || begins !== null };
    if (functionEnd !== undefined && startsOutside && text.startsWith(functionEnd)) functionEnd = undefined;
  }
}

/** The line without comments and single quotes; what stays open at its end is in `open` and `documents`. */
function codeOf(whole: string, open: Open[], documents: HereDocument[]): string {
  let text = '';
  for (let at = 0; at < whole.length; at += 1) {
    const char = whole.charAt(at);
    const state = open.at(-1);
    if (state === 'single' || state === 'ansi') {
      if (char === '\\' && state === 'ansi') at += 1;
      else if (char === "'") open.pop();
      continue;
    }
    const here = state === 'double' || whole.startsWith('<<<', at) ? null : HERE.exec(whole.slice(at));
    if (here !== null && whole.charAt(at - 1) !== '<') {
      const [found, dash, backslash, quote, end = ''] = here;
      documents.push({ end, literal: backslash !== '' || quote !== '', tabs: dash === '-' });
      at += found.length - 1;
      continue;
    }
    if (char === '#' && state !== 'double' && /^$|[\s;(&|]/.test(whole.charAt(at - 1))) break;
    text += char;
    if (char === '\\') {
      at += 1;
      text += whole.charAt(at);
    } else follow(char, whole.charAt(at - 1), open);
  }
  return text;
}

function follow(char: string, before: string, open: Open[]): void {
  const state = open.at(-1);
  if (char === '"') {
    if (state === 'double') open.pop();
    else open.push('double');
  } else if (char === "'" && state !== 'double') {
    open.push(before === '$' ? 'ansi' : 'single');
  } else if (char === '(' && (before === '$' || state !== 'double')) {
    if (before === '$' || state !== undefined) open.push('parenthesis');
  } else if (char === ')' && state === 'parenthesis') {
    open.pop();
  }
}
