/** The description of a command: its help, its options and the function that runs it. */
import type { SettingKey } from '../../config/schema.ts';
import type { CommandName } from '../../config/setting.ts';
import type { CommandAction } from './input/context.ts';

/** One command, or a group of them. */
export interface CommandSpec {
  /** `name <required> [optional]`. */
  readonly usage: string;
  readonly summary: string;
  /** Which settings it takes. */
  readonly settings?: CommandName;
  /**
   * Where not all of them mean something: those that do, with words of its own or `''` for the usual ones. The settings
   * of every command are not listed.
   */
  readonly only?: Readonly<Partial<Record<SettingKey, string>>>;
  readonly options?: readonly (readonly [flag: string, help: string])[];
  /** Those of its own options that share nothing but the name with a setting. */
  readonly noSettings?: readonly string[];
  /** Examples and more, shown after the options. */
  readonly after?: string;
  readonly commands?: readonly CommandSpec[];
  /** What it does; imported when it is called for, so that no command pays for the others. */
  readonly load?: () => Promise<CommandAction>;
  /** It works without a data home, or on one that is damaged. */
  readonly withoutHome?: true;
  /** Much code, started often: what V8 makes of it is kept for the next start. */
  readonly keepsCompiled?: true;
  /** Passes on everything after the name, unread. */
  readonly passThrough?: boolean;
}
