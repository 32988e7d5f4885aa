/** Which environment variables an app may set (staging-internals.md 4.5). */
import { StagerError } from '../../words/errors.ts';

/** Bytes of `NAME=value` with its NUL: Linux's limit for one string of an environment. */
export const MAX_VARIABLE_BYTES = 131_072;

/** A variable that was refused, and why. */
export interface RefusedVariable {
  readonly name: string;
  readonly reason: string;
}

/**
 * Cloud Controller's rules for names (no `VCAP_…`, no `VMC…`, no `PORT`, in any case), and the kernel's for
 * names and values. The platform sets the refused ones itself.
 */
export function refusedVariables(env: Readonly<Record<string, string>>): readonly RefusedVariable[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const reason = reasonToRefuse(name, value);
    return reason === undefined ? [] : [{ name, reason }];
  });
}

/**
 * Does nothing when every variable is allowed.
 *
 * @param where what the variables came from, for the message: `--env`, `manifest.yml: app web`.
 * @throws StagerError ENV_NAME_REFUSED naming every refused variable (never its value).
 */
export function checkVariables(env: Readonly<Record<string, string>>, where: string): void {
  const refused = refusedVariables(env);
  if (refused.length === 0) return;
  const list = refused.map(({ name, reason }) => `${JSON.stringify(name)} (${reason})`).join(', ');
  throw new StagerError('ENV_NAME_REFUSED', `${where}: refused environment variables: ${list}`, {
    next: "Rename or remove them; variables that the platform sets can't be overridden.",
    details: { where, refused },
  });
}

function reasonToRefuse(name: string, value: string): string | undefined {
  const upper = name.toUpperCase();
  if (name === '') return 'the name is empty';
  if (upper.startsWith('VCAP_')) return 'names that start with VCAP_ belong to the platform';
  if (upper.startsWith('VMC')) return 'names that start with VMC belong to the platform';
  if (upper === 'PORT') return 'PORT is set by the platform';
  if (/[=\0]/.test(name)) return 'the name contains = or NUL';
  if (value.includes('\0')) return 'the value contains NUL';
  const bytes = Buffer.byteLength(name) + Buffer.byteLength(value) + 2;
  if (bytes > MAX_VARIABLE_BYTES) return `${bytes} bytes, the limit is ${MAX_VARIABLE_BYTES}`;
  return undefined;
}
