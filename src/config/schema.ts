/**
 * Every setting once: key, flag, variable, kind, default and the sentence that help and docs show. Types, validation,
 * help and the page of the command line follow from these rows.
 *
 * Plain data on purpose: `stager --help` reads it and must not load a validator (150 ms budget).
 */
import { CLIENT_SETTINGS } from './client-settings.ts';
import { GENERAL_SETTINGS } from './general-settings.ts';
import { IMAGE_SETTINGS } from './image-settings.ts';
import { SANDBOX_SETTINGS } from './sandbox-settings.ts';
import { SERVER_SETTINGS } from './server-settings.ts';
import type { CommandName, Setting } from './setting.ts';
import { APP_SETTINGS, BUILDPACK_SETTINGS, RESULT_SETTINGS } from './staging-settings.ts';
import { WORKER_SETTINGS } from './worker-settings.ts';

/** The table. Keys are the names in a config file; the library has numbers and objects instead of texts (options.ts). */
export const SETTINGS = {
  ...APP_SETTINGS,
  ...BUILDPACK_SETTINGS,
  ...SANDBOX_SETTINGS,
  ...RESULT_SETTINGS,
  ...IMAGE_SETTINGS,
  ...CLIENT_SETTINGS,
  ...SERVER_SETTINGS,
  ...WORKER_SETTINGS,
  ...GENERAL_SETTINGS,
} as const satisfies Record<string, Setting>;

/** Names of the settings. */
export type SettingKey = keyof typeof SETTINGS;

/** The settings of a command, in table order. */
export function settingsOf(command: CommandName): readonly (readonly [string, Setting])[] {
  const rows: readonly (readonly [string, Setting])[] = Object.entries(SETTINGS);
  return rows.filter(([, row]) => row.on.includes(command) || row.on.includes('all'));
}
