/**
 * `((name))` in a manifest (cf push --var, --vars-file). A scalar that is one variable and nothing else takes the
 * variable's own type; a variable inside a longer text is written into it. Values are not looked at again.
 */
import { StagerError } from '../errors.ts';

/** Variables by name. */
export type Variables = Readonly<Record<string, unknown>>;

const WHOLE = /^\(\(([-\w/.]+)\)\)$/;
const INSIDE = /\(\(([-\w/.]+)\)\)/g;

/**
 * A copy of `value` with its variables replaced, in keys and values.
 *
 * @throws StagerError MANIFEST_INVALID naming every variable without a value.
 */
export function interpolate(value: unknown, variables: Variables): unknown {
  const missing = new Set<string>();
  const look = (name: string): unknown => {
    const found = lookUp(variables, name);
    if (found === undefined) missing.add(name);
    return found;
  };
  const replaced = replaceIn(value, look);
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

function replaceIn(value: unknown, look: (name: string) => unknown): unknown {
  if (typeof value === 'string') return replaceInText(value, look);
  if (Array.isArray(value)) return value.map((item) => replaceIn(item, look));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [String(replaceInText(key, look)), replaceIn(item, look)]),
  );
}

function replaceInText(text: string, look: (name: string) => unknown): unknown {
  const whole = WHOLE.exec(text)?.[1];
  if (whole !== undefined) return look(whole) ?? text;
  return text.replace(INSIDE, (original, name: string) => {
    const value = look(name);
    if (value === undefined) return original;
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  });
}

/** `a.b` is the variable of that name, or else the key `b` of the variable `a`. */
function lookUp(variables: Variables, name: string): unknown {
  if (Object.hasOwn(variables, name)) return variables[name];
  let value: unknown = variables;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = new Map<string, unknown>(Object.entries(value)).get(part);
  }
  return value;
}
