/** The settings as types, from the table in schema.ts, and their last check. */
import { z } from 'zod';
import { CHOICES, type SETTINGS, type SettingKey } from './schema.ts';

interface KindTypes {
  text: string;
  path: string;
  address: string;
  list: readonly string[];
  paths: readonly string[];
  references: readonly string[];
  flag: boolean;
  size: number;
  duration: number;
  port: number;
  network: (typeof CHOICES.network)[number];
  sandbox: (typeof CHOICES.sandbox)[number];
  keep: (typeof CHOICES.keep)[number];
  buildpackApi: (typeof CHOICES.buildpackApi)[number];
  ignoreStyle: (typeof CHOICES.ignoreStyle)[number];
}

type Always = { [K in SettingKey]: (typeof SETTINGS)[K] extends { default: string } ? K : never }[SettingKey];
type Of<K extends SettingKey> = KindTypes[(typeof SETTINGS)[K]['kind']];

/** All settings, parsed and frozen. Sizes in MiB, times in milliseconds, paths absolute. */
export type Settings = { readonly [K in Always]: Of<K> } & {
  readonly [K in Exclude<SettingKey, Always>]?: Of<K>;
};

const text = z.string();
const list = z.array(z.string()).readonly();
/** Settings from any source, already read; an unknown key or a wrong type is our bug. */
export const settingsSchema: z.ZodType<Settings> = z.object({
  buildpacks: list.exactOptional(),
  buildpackApi: z.enum(CHOICES.buildpackApi).exactOptional(),
  stack: text,
  cfStack: text.exactOptional(),
  env: list.exactOptional(),
  envFile: text.exactOptional(),
  services: text.exactOptional(),
  appName: text.exactOptional(),
  memory: z.number(),
  disk: z.number(),
  timeout: z.number(),
  network: z.enum(CHOICES.network),
  sandbox: z.enum(CHOICES.sandbox),
  runtime: text.exactOptional(),
  output: text.exactOptional(),
  result: text.exactOptional(),
  package: text.exactOptional(),
  blobstore: text.exactOptional(),
  noCache: z.boolean().exactOptional(),
  clearCache: z.boolean().exactOptional(),
  compression: text.exactOptional(),
  reproducible: z.boolean().exactOptional(),
  reuse: z.boolean().exactOptional(),
  keep: z.enum(CHOICES.keep),
  ignoreStyle: z.enum(CHOICES.ignoreStyle),
  manifest: text.exactOptional(),
  vars: list.exactOptional(),
  varsFiles: list.exactOptional(),
  lock: z.boolean().exactOptional(),
  frozen: z.boolean().exactOptional(),
  trace: z.boolean().exactOptional(),
  smoke: z.boolean().exactOptional(),
  host: text,
  port: z.number(),
  data: text.exactOptional(),
  database: text.exactOptional(),
  tlsCert: text.exactOptional(),
  tlsKey: text.exactOptional(),
  insecureHttp: z.boolean().exactOptional(),
  publicUrl: text.exactOptional(),
  caFile: text.exactOptional(),
  home: text.exactOptional(),
  json: z.boolean().exactOptional(),
  quiet: z.boolean().exactOptional(),
  verbose: z.boolean().exactOptional(),
});
