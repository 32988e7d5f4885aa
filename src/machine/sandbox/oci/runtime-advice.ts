/** Known problems of old versions of runtimes, for `stager doctor`. */
import { coerce, satisfies } from 'semver';
import type { OciRuntime } from './runtime.ts';

/** Versions of runc from which a container could get out to the host, by what fixed them. */
const HOLES = [
  { range: '<1.1.12', fixed: '1.1.12', names: 'CVE-2024-21626' },
  {
    range: '<1.2.8 || >=1.3.0 <1.3.3',
    fixed: '1.2.8 and 1.3.3',
    names: 'CVE-2025-31133, CVE-2025-52565, CVE-2025-52881',
  },
] as const;

/** What a person should know of a runtime's version, if anything: distributions fix old versions without saying so. */
export function runtimeAdvice({ name, version }: Pick<OciRuntime, 'name' | 'version'>): string | undefined {
  const parsed = name === 'runc' ? coerce(version) : null;
  const open = parsed === null ? [] : HOLES.filter(({ range }) => satisfies(parsed, range));
  if (open.length === 0) return undefined;
  const list = open.map(({ fixed, names }) => `${fixed} fixed ${names}`).join('; ');
  return `${list}: update it, unless your distribution fixed its package`;
}
