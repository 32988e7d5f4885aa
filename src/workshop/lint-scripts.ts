/** Rules about the scripts in bin/: whether they can be started, and what they rely on. */
import { type BareFinding, type LintInput, type LintScript, type Rule, shellLines } from './lint-input.ts';
import type { ShellLine } from './shell-text.ts';

/** Scripts that the platform starts. */
const CONTRACT = ['detect', 'supply', 'finalize', 'compile', 'release'] as const;

const own = ({ scripts }: LintInput): readonly LintScript[] =>
  CONTRACT.map((name) => scripts.get(name)).filter((script) => script !== undefined);

const path = (script: LintScript): string => `bin/${script.name}`;

const isCode = ({ kind }: ShellLine): boolean => kind === 'code';
/** Where `$1` is the script's own. */
const ofScript = ({ inFunction }: ShellLine): boolean => !inFunction;

/** What to look for in lines of shell, and what to say of it. */
interface Search {
  readonly pattern: RegExp;
  readonly say: (what: string) => string;
  /** Which lines count; default those of code. */
  readonly where?: (line: ShellLine) => boolean;
}

/** Every such line in the scripts. */
function matching(
  scripts: readonly (LintScript | undefined)[],
  { pattern, say, where = isCode }: Search,
): readonly BareFinding[] {
  return scripts.flatMap((script): BareFinding[] => {
    if (script === undefined) return [];
    return shellLines(script)
      .filter(where)
      .flatMap(({ text, line }) => {
        const found = pattern.exec(text);
        return found === null ? [] : [{ path: path(script), line, message: say(found[1] ?? found[0]) }];
      });
  });
}

const SET_U = /\bset\s+(?:[-+]\w+\s+(?:[a-z]+\s+)?)*-(?:[a-zA-Z]*u|o\s+nounset\b)/;

const setsU = (script: LintScript): boolean =>
  shellLines(script).some(({ text }) => SET_U.test(text)) || /\s-[a-z]*u/.test(script.shebang ?? '');

/** A parameter that is used without a fallback. */
const bare = (number: number): RegExp => new RegExp(`(?<!\\\\)(\\$${number}(?![0-9])|\\$\\{${number}\\})`);

/** How many arguments each script is sure to get. */
const ARGUMENTS = { detect: 1, release: 1, compile: 2, supply: 4, finalize: 5 } as const;

/** What is looked for in the scripts. */
export const SCRIPT_RULES: readonly Rule[] = [
  {
    id: 'script-not-executable',
    severity: 'error',
    reason: 'scripts are started directly, so the kernel has to be allowed to (script contract)',
    find: (input) =>
      own(input)
        .filter(({ mode }) => (mode & 0o111) === 0)
        .map((script) => ({
          path: path(script),
          message: `is not executable (mode ${script.mode.toString(8).padStart(4, '0')}): chmod +x it, and in git: git update-index --chmod=+x`,
        })),
  },
  {
    id: 'crlf',
    severity: 'error',
    reason: 'the kernel takes the carriage return as part of the interpreter’s name (script contract)',
    find: (input) =>
      own(input)
        .filter((script) => script.hasCarriageReturns)
        .map((script) => ({ path: path(script), line: 1, message: 'has lines that end in CR LF' })),
  },
  {
    id: 'shebang-missing',
    severity: 'error',
    reason: 'scripts are started by the kernel, not by a shell: without #! that fails (script contract)',
    find: (input) =>
      own(input)
        .filter(({ lines, shebang }) => lines !== undefined && shebang === undefined)
        .map((script) => ({ path: path(script), line: 1, message: 'does not start with #!' })),
  },
  {
    id: 'interpreter',
    severity: 'error',
    reason: 'only what the stack has can run a script (tools expected from the stack)',
    find: async (input) => {
      const found: BareFinding[] = [];
      for (const script of own(input)) {
        const [program = '', ...words] = script.shebang?.split(/\s+/) ?? [];
        // env takes options and variables before the program.
        const wanted = program.endsWith('/env') ? words.find((it) => !/^-|=/.test(it)) : program;
        if (script.shebang === undefined || wanted === undefined) continue;
        if (!program.startsWith('/')) {
          found.push({ path: path(script), line: 1, message: `${program} is not an absolute path` });
        } else if (!(await input.inStack(program)) || !(await input.inStack(wanted))) {
          found.push({ path: path(script), line: 1, message: `the stack has no ${wanted}` });
        }
      }
      return found;
    },
  },
  {
    id: 'argument-unset',
    severity: 'error',
    reason:
      'supply gets four arguments, finalize five, detect and release one, compile two (script contract)',
    find: ({ scripts, family }) =>
      Object.entries(ARGUMENTS).flatMap(([name, count]) => {
        const script = scripts.get(name);
        if (script === undefined || !setsU(script)) return [];
        const sure = name === 'compile' && family === 'heroku' ? 3 : count;
        return [1, 2, 3, 4, 5, 6]
          .filter((number) => number > sure)
          .flatMap((number) =>
            matching([script], {
              pattern: bare(number),
              say: (what) => `uses ${what} under set -u, but gets ${sure} arguments: write \${${number}:-}`,
              where: ofScript,
            }),
          );
      }),
  },
  {
    id: 'compile-third-argument',
    severity: 'warning',
    reason: 'Cloud Foundry gives compile exactly two arguments, Heroku a third (ENV_DIR) (script contract)',
    find: ({ scripts, family }) =>
      family === 'heroku'
        ? []
        : matching([scripts.get('compile')], {
            pattern: bare(3),
            say: (what) => `looks at ${what}, which Cloud Foundry does not give`,
            where: ofScript,
          }),
  },
  {
    id: 'hard-coded-path',
    severity: 'warning',
    reason:
      'only the arguments say where app, cache and deps are; it differs between platforms (script contract)',
    find: (input) =>
      matching(own(input), {
        pattern: /(\/tmp\/(?:app|cache|contents|buildpacks)(?![\w-])[\w./-]*)/,
        say: (what) => `has ${what} hard-coded: take it from the arguments`,
      }),
  },
  {
    id: 'detect-writes',
    severity: 'warning',
    reason: 'detect must not write to the app: the next buildpack would see it (what each script may write)',
    find: ({ scripts }) =>
      matching([scripts.get('detect')], {
        pattern:
          /((?:>>?|\b(?:touch|mkdir|rm|cp|mv|tee|sed\s+-i)\b)[^|;&]*"?\$\{?(?:1|BUILD_DIR|build_dir|BUILD|build)\b)/,
        say: (what) => `seems to write to the app: ${what.trim()}`,
      }),
  },
  {
    id: 'release-not-deterministic',
    severity: 'warning',
    reason:
      'equal inputs should give equal droplets; start commands are part of them (what makes a droplet right)',
    find: ({ scripts }) =>
      matching([scripts.get('release')], {
        pattern:
          /(?<!\\)(\$\(\s*(?:date|hostname|uuidgen|mktemp)\b|`(?:date|hostname|uuidgen|mktemp)\b|\$RANDOM\b|\$\$(?!\w)|\/dev\/u?random)/,
        say: (what) => `prints something else each time: ${what}`,
        where: () => true,
      }),
  },
  {
    id: 'writes-outside',
    severity: 'warning',
    reason:
      'scripts run as vcap on a read-only root: only the arguments’ directories, HOME and /tmp can be written (what each script may write)',
    find: (input) =>
      matching(own(input), {
        pattern:
          /(?:(?:^|[^<>&\d])>>?\s*|\b(?:touch|mkdir(?:\s+-p)?|tee(?:\s+-a)?)\s+)"?(\/(?!tmp\b|dev\/|proc\/self|app\b|home\/vcap\b)[\w./-]+)/,
        say: (what) => `seems to write to ${what}`,
      }),
  },
  {
    id: 'needs-root',
    severity: 'warning',
    reason: 'no script is ever root (engine quirk list)',
    find: (input) =>
      matching(own(input), {
        pattern:
          /(?:^|[;&|(]|\bthen|\bdo)\s*(sudo\b|apt-get\s+(?:-\w+\s+)*install\b|apt\s+install\b|apk\s+add\b|yum\s+install\b|dpkg\s+-i\b|chown\b)/,
        say: (what) => `needs root: ${what}`,
      }),
  },
  {
    id: 'download-unverified',
    severity: 'warning',
    reason:
      'what is downloaded has a sha256 in manifest.yml and is checked against it (versions and downloads)',
    find: (input) =>
      matching(own(input), {
        pattern:
          /((?:curl|wget)\b[^|;&]*\|\s*(?:sudo\s+)?(?:ba|da|z)?sh\b|curl\b[^|;&]*\s(?:-k|--insecure)\b|wget\b[^|;&]*--no-check-certificate)/,
        say: (what) => `trusts an unverified download: ${what}`,
      }),
  },
];
