/** Rules about which files a buildpack has. */

import type { BareFinding, LintInput, Rule } from './lint-input.ts';
import { semverLike } from './lint-manifest.ts';

const at = (path: string, message: string): BareFinding => ({ path, message });

const mentions = ({ scripts }: LintInput, text: string): boolean =>
  [...scripts.values()].some(
    ({ lines, shebang }) => shebang === undefined || lines?.some((line) => line.includes(text)),
  );

/** What is looked for in the names and modes of a buildpack's files. */
export const FILE_RULES: readonly Rule[] = [
  {
    id: 'no-work',
    severity: 'error',
    reason: 'something has to build: supply and finalize, or compile (which scripts run)',
    find: ({ scripts }) =>
      ['supply', 'finalize', 'compile'].some((name) => scripts.has(name))
        ? []
        : [at('bin', 'has none of supply, finalize and compile')],
  },
  {
    id: 'detect-missing',
    severity: 'warning',
    reason: 'without detect it can only be named, never found (script contract)',
    find: ({ scripts }) => (scripts.has('detect') ? [] : [at('bin/detect', 'is missing')]),
  },
  {
    id: 'cannot-be-last',
    severity: 'note',
    reason: 'the last buildpack of an order runs finalize, or compile (which scripts run)',
    find: ({ scripts }) =>
      scripts.has('supply') && !scripts.has('finalize') && !scripts.has('compile')
        ? [at('bin/finalize', 'is missing: the buildpack can only be used before others')]
        : [],
  },
  {
    id: 'cannot-be-first',
    severity: 'note',
    reason: 'all buildpacks of an order but the last need supply (which scripts run)',
    find: ({ scripts, family }) =>
      // Heroku's compile runs wherever its buildpack stands.
      family !== 'heroku' && !scripts.has('supply') && (scripts.has('finalize') || scripts.has('compile'))
        ? [at('bin/supply', 'is missing: the buildpack can only be the last of an order')]
        : [],
  },
  {
    id: 'release-missing',
    severity: 'warning',
    reason: 'release is run unless the last buildpack left deps/<index>/launch.yml (script contract)',
    find: (input) => {
      const { scripts } = input;
      const canBeLast = scripts.has('finalize') || scripts.has('compile');
      if (scripts.has('release') || !canBeLast || input.family === 'heroku') return [];
      return mentions(input, 'launch.yml')
        ? []
        : [at('bin/release', 'is missing, and no script names launch.yml')];
    },
  },
  {
    id: 'launch-environment',
    severity: 'note',
    reason:
      'the last buildpack’s finalize copies deps/*/profile.d and writes the search paths; the platform does not (run-time environment)',
    find: (input) => {
      const script = input.scripts.get('finalize');
      if (script?.lines === undefined) return [];
      const text = script.lines.join('\n');
      return /\$\{?5|\.profile\.d|"\$@"/.test(text)
        ? []
        : [at('bin/finalize', 'never looks at its fifth argument, the directory for profile scripts')];
    },
  },
  {
    id: 'version-missing',
    severity: 'error',
    reason:
      'the version is what people see, and what libbuildpack refuses to run without (libbuildpack entry)',
    find: ({ names, family, scripts }) => {
      if (names.has('VERSION') || family === 'heroku') return [];
      const missing = at('VERSION', 'is missing');
      // The old contract does without.
      return [scripts.has('supply') || scripts.has('finalize') ? missing : { ...missing, severity: 'note' }];
    },
  },
  {
    id: 'version-format',
    severity: 'warning',
    reason: 'the version is in the package’s name and compared by people and tools (libbuildpack entry)',
    find: async ({ names, root }) => {
      if (!names.has('VERSION')) return [];
      const version = await semverLike(root);
      return version === undefined ? [] : [{ path: 'VERSION', line: 1, message: version }];
    },
  },
];
