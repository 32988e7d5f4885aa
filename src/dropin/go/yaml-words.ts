/**
 * Syntax errors of YAML in the words of libyaml, whose port yaml.v2 prints them. Our parser finds the same mistakes
 * at other places under other names, so this is a translation by cases; docs/dropin.md says how far it goes.
 */
import type { LineCounter, YAMLError } from 'yaml';

/** Words, and the line as libyaml counts it; 0 is not printed. */
interface Finding {
  readonly words: string;
  readonly line: number;
}

/** `line 2: did not find expected key`. */
export function originalWords(problem: YAMLError, lines: LineCounter, text: string): string {
  const { words, line } = findingOf(problem, (offset) => lines.linePos(offset).line, text);
  return line > 0 ? `line ${line}: ${words}` : words;
}

/** libyaml counts lines from 0; its parser prints that number as it is, its scanner one more unless it is 0. */
function findingOf(problem: YAMLError, lineOf: (offset: number) => number, text: string): Finding {
  const [at] = problem.pos;
  const line = lineOf(at);
  const parser = (words: string): Finding => ({ words, line: line - 1 });
  const scanner = (words: string, where = line): Finding => ({ words, line: where > 1 ? where : 0 });
  const { code, message } = problem;
  const flow = /flow (map|seq)/i.exec(message)?.[1];
  if (flow !== undefined && (code === 'BAD_INDENT' || code === 'MISSING_CHAR')) {
    const end = at >= text.length && !text.endsWith('\n') ? 1 : 0;
    return { words: flowWords(text.slice(0, at), flow.toLowerCase()), line: line - 1 + end };
  }
  switch (code) {
    case 'BLOCK_AS_IMPLICIT_KEY':
      return scanner('mapping values are not allowed in this context', lineOf(colonAfter(text, at)));
    case 'MULTILINE_IMPLICIT_KEY':
      if (/^- /.test(text.slice(at))) return parser('did not find expected key');
      return scanner('mapping values are not allowed in this context', lineOf(colonAfter(text, at)));
    case 'MISSING_CHAR':
      if (/followed by map values/.test(message)) return scanner("could not find expected ':'", line + 1);
      return scanner('found unexpected end of stream');
    case 'BAD_INDENT':
      return parser('did not find expected key');
    case 'UNEXPECTED_TOKEN':
      return parser(
        /at node end/.test(message) ? 'did not find expected key' : 'did not find expected node content',
      );
    default:
      return scanner(WORDS[code] ?? 'did not find expected node content');
  }
}

function flowWords(before: string, kind: string): string {
  if (/[[{,]\s*$/.test(before)) return 'did not find expected node content';
  return `did not find expected ',' or '${kind === 'seq' ? ']' : '}'}'`;
}

/** Offset of the first colon after `at` that makes a key. */
function colonAfter(text: string, at: number): number {
  const found = text.slice(at).search(/:(?:\s|$)/);
  return found < 0 ? at : at + found;
}

const WORDS: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'did not find expected alphabetic or numeric character',
  BAD_DQ_ESCAPE: 'found unknown escape character',
  BAD_SCALAR_START: 'found character that cannot start any token',
  TAB_AS_INDENT: 'found character that cannot start any token',
};
