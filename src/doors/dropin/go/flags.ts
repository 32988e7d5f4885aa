/**
 * Command lines as Go's flag package reads them: `-name value`, `-name=value`, `--name`, `--` and the first
 * word that is not a flag end the flags; a boolean takes its value only after `=`.
 */
import { quote } from '../../../words/go-quote.ts';
import { parseDurationMs, parseInteger } from './text.ts';

/** One flag. `fallback` is written as on the command line. */
export interface FlagSpec {
  readonly name: string;
  readonly kind: 'string' | 'bool' | 'int' | 'duration';
  readonly usage: string;
  readonly fallback: string;
}

/** Values by flag name, or the text for stderr and the exit status that end the program. */
export type FlagOutcome =
  | { readonly ok: true; readonly values: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly text: string; readonly exit: 0 | 2 };

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** Reads `args`; what follows the flags is ignored. Booleans come out as `true` or `false`. */
export function parseFlags(
  program: string,
  specs: readonly FlagSpec[],
  args: readonly string[],
): FlagOutcome {
  const values = new Map(specs.map((it) => [it.name, it.fallback]));
  const known = new Map(specs.map((it) => [it.name, it]));
  const refuse = (problem: string): FlagOutcome => ({
    ok: false,
    text: `${problem}\n${usageText(program, specs)}`,
    exit: 2,
  });
  const rest = [...args];
  for (;;) {
    const word = rest[0];
    if (word === undefined || word.length < 2 || !word.startsWith('-') || word === '--') break;
    rest.shift();
    const body = word.startsWith('--') ? word.slice(2) : word.slice(1);
    if (body === '' || body.startsWith('-') || body.startsWith('='))
      return refuse(`bad flag syntax: ${word}`);
    const equals = body.indexOf('=');
    const name = equals < 0 ? body : body.slice(0, equals);
    const given = equals < 0 ? undefined : body.slice(equals + 1);
    const spec = known.get(name);
    if (spec === undefined) {
      if (name === 'help' || name === 'h') return { ok: false, text: usageText(program, specs), exit: 0 };
      return refuse(`flag provided but not defined: -${name}`);
    }
    const text = given ?? (spec.kind === 'bool' ? 'true' : rest.shift());
    if (text === undefined) return refuse(`flag needs an argument: -${name}`);
    const problem = problemOf(spec, text);
    if (problem !== undefined) return refuse(problem);
    values.set(name, spec.kind === 'bool' ? String(TRUE.has(text)) : text);
  }
  return { ok: true, values };
}

function problemOf(spec: FlagSpec, text: string): string | undefined {
  switch (spec.kind) {
    case 'string':
      return undefined;
    case 'bool':
      if (TRUE.has(text) || FALSE.has(text)) return undefined;
      return `invalid boolean value ${quote(text)} for -${spec.name}: parse error`;
    case 'int': {
      const value = parseInteger(text);
      if (typeof value === 'bigint') return undefined;
      return `invalid value ${quote(text)} for flag -${spec.name}: ${value}`;
    }
    case 'duration':
      if (parseDurationMs(text) !== undefined) return undefined;
      return `invalid value ${quote(text)} for flag -${spec.name}: parse error`;
  }
}

const NO_DEFAULT: Readonly<Record<FlagSpec['kind'], string>> = {
  string: '',
  bool: 'false',
  int: '0',
  duration: '0s',
};

/** The usage text, flags by name, with its final newline. */
function usageText(program: string, specs: readonly FlagSpec[]): string {
  const sorted = [...specs].sort((a, b) => (a.name < b.name ? -1 : 1));
  const lines = sorted.map((spec) => {
    const type = spec.kind === 'bool' ? '' : ` ${spec.kind}`;
    const shown = spec.kind === 'string' ? quote(spec.fallback) : spec.fallback;
    const fallback = spec.fallback === NO_DEFAULT[spec.kind] ? '' : ` (default ${shown})`;
    return `  -${spec.name}${type}\n    \t${spec.usage}${fallback}\n`;
  });
  return `Usage of ${program}:\n${lines.join('')}`;
}
