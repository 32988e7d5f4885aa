/** The settings as types and their last check, both from the table in schema.ts. */
import { z } from 'zod';
import { SETTINGS, type SettingKey } from './schema.ts';
import { CHOICES, type Setting, type SettingKind } from './setting.ts';

const text = z.string();
const list = z.array(z.string()).readonly();

/** What a setting of each kind is once it has been read. */
const KINDS = {
  text,
  path: text,
  program: text,
  address: text,
  list,
  paths: list,
  references: list,
  flag: z.boolean(),
  size: z.number(),
  duration: z.number(),
  count: z.number(),
  port: z.number(),
  network: z.enum(CHOICES.network),
  sandbox: z.enum(CHOICES.sandbox),
  diskBound: z.enum(CHOICES.diskBound),
  workspace: z.enum(CHOICES.workspace),
  keep: z.enum(CHOICES.keep),
  buildpackApi: z.enum(CHOICES.buildpackApi),
  ignoreStyle: z.enum(CHOICES.ignoreStyle),
  logLevel: z.enum(CHOICES.logLevel),
} as const satisfies Record<SettingKind, z.ZodType>;

type Always = { [K in SettingKey]: (typeof SETTINGS)[K] extends { default: string } ? K : never }[SettingKey];
type Of<K extends SettingKey> = z.infer<(typeof KINDS)[(typeof SETTINGS)[K]['kind']]>;

/** All settings, parsed and frozen. Sizes in MiB, times in milliseconds, paths absolute. */
export type Settings = { readonly [K in Always]: Of<K> } & {
  readonly [K in Exclude<SettingKey, Always>]?: Of<K>;
};

const rows: readonly (readonly [string, Setting])[] = Object.entries(SETTINGS);
const schema = z.strictObject(
  Object.fromEntries(
    rows.map(([key, row]) => [
      key,
      row.default === undefined ? z.exactOptional(KINDS[row.kind]) : KINDS[row.kind],
    ]),
  ),
);

/** Settings from any source, already read; an unknown key or a wrong type is our bug. */
export function assertSettings(settings: Record<string, unknown>): asserts settings is Settings {
  schema.parse(settings);
}
