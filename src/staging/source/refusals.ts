/** Collects everything that is unsafe about a source, so that a person sees all of it at once. */
import { StagerError } from '../../words/errors.ts';
import { leavesApp } from './links.ts';

/** One refused entry. */
export interface Refusal {
  /** As the source has it. Never trusted. */
  readonly path: string;
  readonly reason: string;
}

/** Refusals in a message; all of them are in the error's details. */
const SHOWN = 50;
/** A hostile archive could be all refusals; beyond this only their number is kept. */
const KEPT = 10_000;

const REMOVE = 'Remove them, make links relative to files inside the app, or list them in .cfignore.';

/** The refusals of one source. */
export class Refusals {
  readonly #kept: Refusal[] = [];
  readonly #next = new Set<string>();
  #count = 0;

  /** @param next what to do about it, where that is not what one does about unsafe entries. */
  add(path: string, reason: string, next: string = REMOVE): void {
    this.#count += 1;
    this.#next.add(next);
    if (this.#kept.length < KEPT) this.#kept.push({ path, reason });
  }

  /** Adds every link that leaves the app. */
  addLinks(links: ReadonlyMap<string, string>): void {
    for (const [path, target] of links) {
      const reason = leavesApp(path, target, links);
      if (reason !== undefined) this.add(path, `symbolic link ${reason}`);
    }
  }

  /** @throws StagerError SOURCE_UNSAFE that names all, unless there is none. */
  throwIfAny(where: string): void {
    if (this.#count === 0) return;
    const lines = this.#kept.slice(0, SHOWN).map(({ path, reason }) => `  ${printable(path)}: ${reason}`);
    if (this.#count > SHOWN) lines.push(`  … and ${this.#count - SHOWN} more`);
    const noun = this.#count === 1 ? 'entry' : 'entries';
    throw new StagerError(
      'SOURCE_UNSAFE',
      `${where} has ${this.#count} ${noun} that can't be staged:\n${lines.join('\n')}`,
      {
        next: [...this.#next].join(' '),
        details: { path: where, count: this.#count, refused: this.#kept },
      },
    );
  }
}

/** A hostile name must not write control sequences to a terminal. */
export function printable(path: string): string {
  return path.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
