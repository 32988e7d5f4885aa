/**
 * 500 apps with ignore rules, the same ones each time: names and lines are drawn from lists that hold what people
 * write, what the documentation shows, and what takes the client's translation apart.
 */

/** One generated app. */
export interface Case {
  readonly kind: 'directory' | 'zip';
  /** Content of the ignore file, or undefined for none. */
  readonly rules?: string;
  /** Where a zip has its ignore file; directories have it at the top. */
  readonly rulesPath: string;
  /** Files, and directories with a trailing slash; in a directory each parent is listed. */
  readonly paths: readonly string[];
}

// biome-ignore format: a list to skim
const NAMES = [
  'node_modules', 'src', 'lib', 'a', 'b', 'ab', 'aab', 'foo', 'bar', 'dist', 'x.log', 'y.txt', 'main.js', '.env',
  'keep', 'README.md', 'manifest.yml', 'manifest.yaml', '.git', '.gitignore', '.gitattributes', '.DS_Store', '.hg',
  'a b', 'a+b', 'a|b', '(a)', '[x]', 'a?b', 'axb', 'é', 'ß.txt', '日本', 'A', 'SRC', '#x', '!x', 'x$', 'x', 'a.b', 'a.c',
  '_darcs', 'test', 'build', 'tmp.tmp', '*', 'a*b', '~', '$~', '12', 'x\\y',
] as const;
// biome-ignore format: a list to skim
const LINES = [
  'foo(bar', '(a|b)', 'a|b', 'a+b', 'a+', '^src', 'main.js$', 'x\\z', '\\*', 'a\\*b', 'a{2}b', 'a{1001}', '$', '**',
  '*', '/', '//', '!', '.', '\\d+', '\\pL', '\\p{Greek}', '(', '[', ')', '[[:alpha:]]*', '[^a]*', '#$~', '/**/', '/**', '**/',
  'a//b', '\\', 'x\\', '(?i)A', '\\Qa.b\\E', '\\bsrc\\b', 'a**b', '***', '# comment', ' # not a comment', '!#x', '\\#x',
  '\\!x', '!!x', '[abc].txt', '[xy].*', 'a?b', '?', 'x?', '  foo  ', '\tfoo', 'foo\t', '*.log', '*.txt', '!*.txt', '*.*',
  '/*', '!/src', '!/src/', '/*/', '*/', '!*/', 'src/*.js', '/src/*.js', 'a/b/*.js', 'a/*/main.js', '+/x*.log', 'a++', '(a',
  'a*+', 'é', '[é]', '.', '..', './a', '../a', 'a/.', '\\.env', '.*', '/.*', '!.env', 'x|', '|x', '||', '()', '(|)', '[]',
  '[]]', '[a-', '{', '}', 'a{', 'a{2', 'a{,2}', 'x{0}', '\\x61', '\\a', '\\1', '(a)\\1', '\\C', 'manifest.yml', '!manifest.yml',
  '!.git', '.git/', '!.git/', 'SRC', '日*', '日本/', '%', '~', '!~', '\\~', 'a b', 'a\\ b', 'foo\r\r', '!\r', ' ! a', '! a',
] as const;

/** Cases made by the generator; the number and the seed are part of the expectations. */
export const CASES = 500;
const SEED = 0x5eed1e55;

/** The cases, always the same. */
export function generateCases(): Case[] {
  const random = mulberry32(SEED);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] ?? fail();
  const upTo = (n: number) => Math.floor(random() * n);

  const path = () => Array.from({ length: 1 + upTo(4) }, () => pick(NAMES)).join('/');
  const pattern = (): string => {
    const one = () => (random() < 0.2 ? pick(['*', '**', '*.log', '*.js', 'a*', '*b']) : pick(NAMES));
    const body = Array.from({ length: 1 + upTo(3) }, one).join('/');
    const front = pick(['', '', '', '/', '**/', '/**/', '*/']);
    return `${front}${body}${pick(['', '', '', '/', '/**', '/*', '.*'])}`;
  };
  const line = () => {
    const body = random() < 0.45 ? pick(LINES) : pattern();
    return (random() < 0.2 ? '!' : '') + body + (random() < 0.05 ? '\r' : '') + (random() < 0.05 ? ' ' : '');
  };
  return Array.from({ length: CASES }, (_, index): Case => {
    const kind = index % 2 === 0 ? 'directory' : 'zip';
    const found = new Set<string>();
    const files = Array.from({ length: 6 + upTo(14) }, path);
    for (const file of files) addPath(found, file, kind === 'directory' || random() < 0.3, random() < 0.08);
    const hasRules = random() > 0.04;
    return {
      kind,
      ...(hasRules ? { rules: Array.from({ length: 1 + upTo(5) }, line).join('\n') } : {}),
      rulesPath:
        kind === 'zip' ? pick(['.cfignore', '.cfignore', 'sub/.cfignore', 'x.cfignore']) : '.cfignore',
      paths: [...found].toSorted(),
    };
  });
}

/** Adds a file (or empty directory) unless a name on its way is taken by the other kind. */
function addPath(found: Set<string>, path: string, withParents: boolean, asDirectory: boolean): void {
  const segments = path.split('/');
  const parents = segments.slice(0, -1).map((_, index) => `${segments.slice(0, index + 1).join('/')}/`);
  if (parents.some((parent) => found.has(parent.slice(0, -1))) || found.has(path) || found.has(`${path}/`))
    return;
  if ([...found].some((other) => other.startsWith(`${path}/`))) return;
  if (withParents) for (const parent of parents) found.add(parent);
  found.add(asDirectory ? `${path}/` : path);
}

/** A small generator of numbers in [0, 1) with a fixed sequence for a seed. */
export function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function fail(): never {
  throw new Error('picked from an empty list');
}
