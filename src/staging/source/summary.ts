/** Facts about a source from one pass over it, for hints. */
import type { Source } from './entry.ts';
import type { IgnoreLine, Verdict } from './ignore.ts';
import { meantName } from './meant-name.ts';
import { printable } from './refusals.ts';

/** Counts, and the names at the top. Bounded: two names are enough to know that there is more than one. */
export class Summary {
  kept = 0;
  keptFiles = 0;
  ignored = 0;
  readonly #top = new Map<string, 'directory' | 'other'>();
  /** A misnamed file at the top, by the name that it was meant to have. */
  readonly #misnamed = new Map<string, string>();
  readonly #rules = new Map<IgnoreLine, number>();

  keep(path: string, kind: 'directory' | 'file' | 'symlink'): void {
    this.kept += 1;
    if (kind !== 'directory') this.keptFiles += 1;
    const slash = path.indexOf('/');
    if (slash < 0 && kind === 'file') this.#nameOf(path);
    const name = slash < 0 ? path : path.slice(0, slash);
    if (this.#top.size < 2 && !this.#top.has(name)) {
      this.#top.set(name, slash < 0 && kind !== 'directory' ? 'other' : 'directory');
    }
  }

  #nameOf(path: string): void {
    const meant = meantName(path);
    if (meant !== undefined) this.#misnamed.set(meant, path);
  }

  ignore(verdict: Verdict): void {
    this.ignored += 1;
    if (verdict.rule !== undefined) this.#rules.set(verdict.rule, (this.#rules.get(verdict.rule) ?? 0) + 1);
  }

  /** Sentences on why a source may look wrong to buildpacks; empty when nothing is odd. */
  hints(description: string, kind: Source['kind']): string[] {
    if (this.kept === 0 && this.ignored === 0) return [`${description} is empty.`];
    if (this.kept === 0) return [`Everything in ${description} is ignored${this.#blame()}.`];
    if (this.keptFiles === 0) return [`${description} contains directories but no files.`];
    const [first] = [...this.#top];
    if (this.#top.size === 1 && first?.[1] === 'directory') {
      const folder = printable(first[0]);
      const only = `${description} contains only the folder ${folder}`;
      return kind === 'directory'
        ? [`${only}: did you mean \`stager stage ${within(description, folder)}\`?`]
        : [`${only}: pack the contents of that folder, not the folder itself.`];
    }
    return [...this.#misnamed].map(
      ([meant, path]) => `${printable(path)} has to be called ${meant} to be found.`,
    );
  }

  #blame(): string {
    let worst: { line: IgnoreLine; count: number } | undefined;
    for (const [line, count] of this.#rules) {
      if (worst === undefined || count > worst.count) worst = { line, count };
    }
    if (worst === undefined) return '';
    const { line } = worst;
    return `, mostly by "${printable(line.text.trim())}" (${line.from}, line ${line.line})`;
  }
}

function within(description: string, folder: string): string {
  if (description === '.') return `./${folder}`;
  return `${description.replace(/\/+$/, '')}/${folder}`;
}
