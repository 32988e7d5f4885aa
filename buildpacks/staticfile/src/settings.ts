/** The Staticfile: the options that Cloud Foundry's users know, checked before they reach a configuration file. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, errnoOf, readYaml } from '../../kit/index.ts';
import { wrongShapes } from '../../kit/shape.ts';

/** `enabled` and `true` switch on; anything else is off, as on Cloud Foundry. */
const flag = z
  .union([z.string(), z.boolean(), z.null()])
  .transform((value) => value === true || value === 'enabled' || value === 'true')
  .default(false);
/** Safe as one word of nginx's configuration. */
const word = z.string().regex(/^[^\s;{}"'\\$#]+$/, 'must not contain blanks, quotes or any of $ # ; { }');

const schema = z.object({
  root: z
    .union([z.string(), z.null()])
    .transform((value) => value ?? '')
    .default(''),
  host_dot_files: flag,
  location_include: z
    .union([word, z.literal(''), z.null()])
    .transform((value) => value ?? '')
    .default(''),
  /** Any value switches it on; the documents say `visible`. */
  directory: z
    .union([z.string(), z.boolean(), z.null()])
    .transform((value) => value !== '' && value !== false && value !== null)
    .default(false),
  ssi: flag,
  pushstate: flag,
  force_https: flag,
  enable_http2: flag,
  http_strict_transport_security: flag,
  http_strict_transport_security_include_subdomains: flag,
  http_strict_transport_security_preload: flag,
  status_codes: z
    .record(z.string().regex(/^([345]\d\d|[45]xx)$/, 'must be 300 to 599, 4xx or 5xx'), word)
    .nullable()
    .transform((value) => value ?? {})
    .default({}),
});

/** What a Staticfile says, with Staticfile.auth beside it. */
export type Settings = z.output<typeof schema> & {
  readonly basicAuth: boolean;
  /** Options that nobody reads. */
  readonly unknown: readonly string[];
};

/**
 * Reads Staticfile and looks for Staticfile.auth. A missing or empty Staticfile has the defaults.
 *
 * @throws BuildpackFailure naming each option that is wrong.
 */
export async function readSettings(appDir: string): Promise<Settings> {
  const value = (await readYaml(join(appDir, 'Staticfile'))) ?? {};
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const found = wrongShapes(parsed.error, value, 'the Staticfile');
    throw new BuildpackFailure(`the Staticfile is not valid:\n${found.join('\n')}`, {
      next: 'Every option is a line such as pushstate: enabled; docs/shipped-buildpacks.md lists them.',
    });
  }
  const keys = Object.keys(typeof value === 'object' ? value : {});
  return {
    ...parsed.data,
    basicAuth: (await kindOf(join(appDir, 'Staticfile.auth'))) === 'file',
    unknown: keys.filter((key) => !Object.hasOwn(schema.shape, key)),
  };
}

/** What is at a path; undefined for nothing. */
export async function kindOf(path: string): Promise<'file' | 'directory' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
