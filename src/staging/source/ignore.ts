/**
 * Which paths of an app stay behind, and which line said so.
 *
 * The style `cf` is what `cf push` does (cf-cli-wire.md 4), the style `git` what git does with the same file.
 */
import { cfMatcher } from './cf-ignore.ts';
import { gitMatcher } from './git-ignore.ts';

/** `cf`: exactly the real client's rules. `git`: gitignore(5). */
export type IgnoreStyle = 'cf' | 'git';

/** One line of an ignore file or of a built-in list. */
export interface IgnoreLine {
  readonly text: string;
  /** 1 for the first line of its file or list. */
  readonly line: number;
  /** The file's path in the source, or what the list is: `default list`, `extra list`. */
  readonly from: string;
}

/** The decision for one path. */
export interface Verdict {
  readonly ignored: boolean;
  /** The line that decided; absent when none matched. */
  readonly rule?: IgnoreLine;
  /** The ancestor that the line matched, where git's rules leave out a whole directory. */
  readonly because?: string;
}

/** What a path is, as far as ignore rules care. */
export type PathKind = 'directory' | 'other';

/** One compiled line. */
export interface Matcher {
  readonly line: IgnoreLine;
  /** A `!` line: brings back what an earlier line left out. */
  readonly negated: boolean;
  matches(path: string, kind: PathKind): boolean;
  /** True when every path below `directory` matches; false when that is not certain. */
  matchesAllBelow(directory: string): boolean;
  /** False only when no path below `directory` can match. */
  mayMatchBelow(directory: string): boolean;
}

/** Always left out, at any depth (cf-cli-wire.md 4.1). */
export const DEFAULT_IGNORED: readonly string[] = [
  '.cfignore',
  '.DS_Store',
  '.git',
  '.gitignore',
  '.hg',
  '.svn',
  '_darcs',
  'manifest.yaml',
  'manifest.yml',
];

/** Name that holds the rules. */
export const IGNORE_FILE = '.cfignore';

/** What {@link ignoreRules} compiles, in the order of the client for this kind of source. */
export interface IgnoreInput {
  readonly style: IgnoreStyle;
  /** Content of the ignore file and its path in the source. */
  readonly file?: { readonly text: string; readonly path: string };
  /** More lines after the default list, as the client adds its trace files. Directories only, in the client. */
  readonly extra?: readonly string[];
  /**
   * `file-first`: the default list has the last word (directories). `defaults-first`: the file can bring a
   * default back (zips).
   */
  readonly order: 'file-first' | 'defaults-first';
}

/** Compiled rules. Deterministic and linear in the length of a path, whatever the lines are. */
export class IgnoreRules {
  readonly style: IgnoreStyle;
  /** Lines that can't be compiled; like the real client, they are without effect. */
  readonly unusable: readonly IgnoreLine[];
  readonly #matchers: readonly Matcher[];
  #lastParent: { readonly path: string; readonly verdict: Verdict } | undefined;

  constructor(style: IgnoreStyle, matchers: readonly Matcher[], unusable: readonly IgnoreLine[]) {
    this.style = style;
    this.#matchers = matchers;
    this.unusable = unusable;
  }

  /** True when `path` stays behind. `path` is relative, `/`-separated. */
  ignores(path: string, kind: PathKind): boolean {
    return this.explain(path, kind).ignored;
  }

  /** The decision for `path` and the line that made it. */
  explain(path: string, kind: PathKind): Verdict {
    if (this.style === 'cf') return this.#ownVerdict(path, kind);
    const slash = path.replace(/\/+$/, '').lastIndexOf('/');
    const parent = slash > 0 ? this.#parentVerdict(path.slice(0, slash)) : undefined;
    return parent?.ignored === true ? parent : this.#ownVerdict(path, kind);
  }

  /** True when nothing below `directory` can be kept, so that it need not be read. */
  leavesOutAllBelow(directory: string): boolean {
    if (this.style === 'git') return this.ignores(directory, 'directory');
    for (const matcher of this.#matchers.toReversed()) {
      if (matcher.negated ? matcher.mayMatchBelow(directory) : matcher.matchesAllBelow(directory)) {
        return !matcher.negated;
      }
    }
    return false;
  }

  /** git: a directory that is left out takes everything below along, whatever later lines say. */
  #parentVerdict(directory: string): Verdict {
    if (this.#lastParent?.path === directory) return this.#lastParent.verdict;
    const found = this.explain(directory, 'directory');
    const verdict = found.ignored ? { because: directory, ...found } : found;
    this.#lastParent = { path: directory, verdict };
    return verdict;
  }

  #ownVerdict(path: string, kind: PathKind): Verdict {
    for (let index = this.#matchers.length - 1; index >= 0; index -= 1) {
      const matcher = this.#matchers[index];
      if (matcher?.matches(path, kind)) return { ignored: !matcher.negated, rule: matcher.line };
    }
    return { ignored: false };
  }
}

/** Compiles the rules of one source. */
export function ignoreRules(input: IgnoreInput): IgnoreRules {
  const defaults = numbered(DEFAULT_IGNORED, 'default list');
  const extra = numbered(input.extra ?? [], 'extra list');
  const own = input.file === undefined ? [] : numbered(input.file.text.split('\n'), input.file.path);
  const lines =
    input.order === 'file-first' ? [...own, ...defaults, ...extra] : [...defaults, ...own, ...extra];
  const matchers: Matcher[] = [];
  const unusable: IgnoreLine[] = [];
  for (const line of lines) {
    const matcher = input.style === 'cf' ? cfMatcher(line) : gitMatcher(line);
    if (matcher === 'unusable') unusable.push(line);
    else if (matcher !== undefined) matchers.push(matcher);
  }
  return new IgnoreRules(input.style, matchers, unusable);
}

function numbered(texts: readonly string[], from: string): IgnoreLine[] {
  return texts.map((text, index) => ({ text, line: index + 1, from }));
}
