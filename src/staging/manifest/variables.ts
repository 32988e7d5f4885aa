/**
 * `((name))` in a manifest (cf push --var, --vars-file). A scalar that is one variable and nothing else takes the
 * variable's own type; a variable inside a longer text is written into it. Values are not looked at again.
 */

import { parseHostileYaml } from '../../machine/host/hostile-yaml.ts';
import { StagerError } from '../../words/errors.ts';

/** Variables by name. */
export type ManifestVariables = Readonly<Record<string, unknown>>;

/** The client's own expression; the `!` means nothing to it. */
const WHOLE = /^\(\( ?!?([-/.\w\p{L}]+) ?\)\)$/u;
const INSIDE = /\(\( ?!?([-/.\w\p{L}]+) ?\)\)/gu;

/**
 * A variables file.
 *
 * @throws StagerError CONFIG_INVALID when it is not a map.
 */
export function parseVariables(text: string, file: string): ManifestVariables {
  const parsed = parseHostileYaml(text, { scalars: 'cf' });
  if (!parsed.ok) throw unusable(file, `is not YAML: ${parsed.reason}`);
  const value = parsed.value ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) throw unusable(file, 'is not a map of variables');
  return Object.fromEntries(Object.entries(value));
}

/**
 * `--var NAME=VALUE`. The value is YAML; when that is a text, it is what was written, without quotes around it, so
 * that ` #` and line ends stay.
 *
 * @throws StagerError CONFIG_INVALID.
 */
export function parseVariable(pair: string): ManifestVariables {
  const [, name = '', written = ''] = /^([^=]+)=(.+)$/s.exec(pair) ?? [];
  if (name === '') throw unusable(`--var ${pair.split('=', 1)[0] ?? ''}`, 'needs a name, = and a value');
  const parsed = parseHostileYaml(written, { scalars: 'cf' });
  // The reason may quote the value, which may be a secret.
  if (!parsed.ok) throw unusable(`--var ${name}`, 'has a value that is not YAML');
  const { value } = parsed;
  return { [name]: typeof value === 'string' ? written.replace(/^(["'])(.*)\1$/s, '$2') : value };
}

function unusable(where: string, why: string): StagerError {
  return new StagerError('CONFIG_INVALID', `${where} ${why}`, {
    next: 'Variables are a YAML map, or --var NAME=VALUE; quote a value that YAML would read differently.',
  });
}

/**
 * A copy of `value` with its variables replaced, in keys and values, and whole numbers as numbers, or as texts where
 * those would lose digits.
 *
 * @throws StagerError MANIFEST_INVALID naming every variable without a value, or one that can't stand inside a text.
 */
export function interpolate(value: unknown, variables: ManifestVariables): unknown {
  const missing = new Set<string>();
  const replaced = copied(value, {
    done: new Map(),
    look: (name) => {
      const found = lookUp(variables, name);
      if (found === undefined) missing.add(name);
      return found;
    },
  });
  if (missing.size === 0) return replaced;
  const names = [...missing].toSorted();
  throw new StagerError(
    'MANIFEST_INVALID',
    `the manifest uses variables that have no value: ${names.join(', ')}`,
    {
      next: `Give them with --var ${names[0] ?? 'NAME'}=VALUE or --vars-file FILE.`,
      details: { missing: names },
    },
  );
}

/** Stands for a copy that is being made. */
const OPEN = Symbol('open');

interface Copying {
  /** Undefined for a variable that has no value. */
  readonly look: (name: string) => unknown;
  /** Copies by original: what aliases share stays shared. */
  readonly done: Map<object, unknown>;
}

function copied(value: unknown, copying: Copying): unknown {
  if (typeof value === 'string') return replacedIn(value, copying);
  if (typeof value === 'bigint') return numberOf(value);
  if (typeof value !== 'object' || value === null) return value;
  if (copying.done.get(value) === OPEN) throw containsItself();
  if (copying.done.has(value)) return copying.done.get(value);
  copying.done.set(value, OPEN);
  const copy = Array.isArray(value)
    ? value.map((item) => copied(item, copying))
    : Object.fromEntries(
        Object.entries(value).map(([key, item]) => [String(replacedIn(key, copying)), copied(item, copying)]),
      );
  copying.done.set(value, copy);
  return copy;
}

function containsItself(): StagerError {
  return new StagerError('MANIFEST_INVALID', 'an anchor contains itself', {
    next: 'Remove the alias from the block that its anchor names.',
  });
}

function numberOf(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function replacedIn(text: string, { look }: Copying): unknown {
  const whole = WHOLE.exec(text)?.[1];
  if (whole !== undefined) {
    const value = look(whole);
    return value === undefined ? text : copied(value, { look: () => undefined, done: new Map() });
  }
  return text.replace(INSIDE, (original, name: string) => {
    const value = look(name);
    if (value === undefined) return original;
    if (typeof value === 'string' || typeof value === 'bigint' || Number.isInteger(value)) {
      return String(value);
    }
    throw new StagerError('MANIFEST_INVALID', `variable ${name} is neither text nor a whole number`, {
      next: 'Inside a longer text only these are allowed: quote the value, or use the variable as the whole value.',
      details: { name },
    });
  });
}

/** `a.b` is the variable of that name, or else the key `b` of the variable `a`. */
function lookUp(variables: ManifestVariables, name: string): unknown {
  if (Object.hasOwn(variables, name)) return variables[name];
  let value: unknown = variables;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = new Map<string, unknown>(Object.entries(value)).get(part);
  }
  return value;
}
