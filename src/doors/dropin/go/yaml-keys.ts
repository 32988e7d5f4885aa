/**
 * What may turn out to be a key of YAML. Only its colon tells, so the tokens behind it are read before it is handed out;
 * how far is part of which mistake is found first.
 */
import type { YamlCursor, YamlProblem } from './yaml-cursor.ts';

/** Something that is a key if a colon follows on its line, within {@link MAX_KEY} characters. */
export interface PossibleKey {
  /** Number of its token, counted from the start. */
  readonly token: number;
  readonly index: number;
  readonly line: number;
  readonly column: number;
  /** Nothing else can stand where it stands. */
  readonly isRequired: boolean;
}

/** The block, or a flow collection that is open. */
interface Level {
  key: PossibleKey | undefined;
  /** Token that stops being awaited with the level: that of its last key, or of its own bracket. */
  token: number;
}

const MAX_KEY = 1024;
/** Depth of nesting that the original refuses. */
export const MAX_DEPTH = 10_000;

/** At most one possible key for each open flow collection, and one for the block around them. */
export class PossibleKeys {
  readonly #cursor: YamlCursor;
  readonly #levels: Level[] = [{ key: undefined, token: 0 }];
  /**
   * Tokens that may be keys, and the level of each. An empty flow collection takes the token of its own bracket out
   * when it ends, so that `{}: x` is not a mapping: a mistake of the original.
   */
  readonly #awaited = new Map<number, Level>();

  constructor(cursor: YamlCursor) {
    this.#cursor = cursor;
  }

  get isFlow(): boolean {
    return this.#levels.length > 1;
  }

  get #level(): Level {
    const level = this.#levels.at(-1);
    if (level === undefined) throw new Error('the block is never closed');
    return level;
  }

  /** Whether `token` can't be handed out yet. @throws YamlProblem */
  awaits(token: number): boolean {
    const level = this.#awaited.get(token);
    return level !== undefined && this.#valid(level) !== undefined;
  }

  /** The key whose colon comes next. @throws YamlProblem */
  valid(): PossibleKey | undefined {
    return this.#valid(this.#level);
  }

  #valid(level: Level): PossibleKey | undefined {
    const { key } = level;
    const { line, index } = this.#cursor;
    if (key === undefined || (key.line === line && key.index + MAX_KEY >= index)) return key;
    if (key.isRequired) throw this.#missingColon();
    level.key = undefined;
    return undefined;
  }

  #missingColon(): YamlProblem {
    return this.#cursor.problem("could not find expected ':'");
  }

  /** A key may begin here, with `token`. @throws YamlProblem when the last one needed its colon. */
  save(token: number, isRequired: boolean): void {
    this.drop();
    const { index, line, column } = this.#cursor;
    const level = this.#level;
    level.key = { token, index, line, column, isRequired };
    level.token = token;
    this.#awaited.set(token, level);
  }

  /** What was possible is not a key. @throws YamlProblem when it had to be one. */
  drop(): void {
    const { key } = this.#level;
    if (key?.isRequired === true) throw this.#missingColon();
    if (key !== undefined) this.forget(key);
  }

  /** `key` is one, or can no longer be one. */
  forget(key: PossibleKey): void {
    this.#level.key = undefined;
    this.#awaited.delete(key.token);
  }

  /** A flow collection begins with `token`. @throws YamlProblem when it is too deep. */
  openFlow(token: number): void {
    this.#levels.push({ key: undefined, token });
    if (this.#levels.length > MAX_DEPTH + 1) {
      throw this.#cursor.problem(`exceeded max depth of ${MAX_DEPTH}`);
    }
  }

  closeFlow(): void {
    if (this.isFlow) this.#awaited.delete(this.#levels.pop()?.token ?? 0);
  }
}
