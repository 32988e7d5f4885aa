/** The codes of failures for the library's callers. */
import { type Blame, CODES, type Code } from '../../words/errors.ts';

/** What a code says by itself: who can fix it, and the exit status of a command that ends with it. */
export interface ErrorCode {
  readonly code: Code;
  readonly blame: Blame;
  readonly exit: number;
}

/** Every code, in the order of docs/errors.md. */
export const ERROR_CODES: readonly ErrorCode[] = Object.entries(CODES).flatMap(([name, { blame, exit }]) =>
  isCode(name) ? [{ code: name, blame, exit }] : [],
);

function isCode(name: string): name is Code {
  return Object.hasOwn(CODES, name);
}
