/** `buildpack.toml` of a Cloud Native Buildpack (buildpack-contracts.md 5.1). */
import { z } from 'zod';
import { StagerError } from '../../words/errors.ts';
import { parseToml } from './cnb-toml.ts';

/** One element of a group, as documents have it. */
export const groupEntry = z.looseObject({
  id: z.string(),
  version: z.string().default(''),
  optional: z.boolean().default(false),
});
/** One element of a group. */
export type GroupEntry = Pick<z.infer<typeof groupEntry>, 'id' | 'version' | 'optional'>;

const Texts = z.array(z.string()).default([]);
const Document = z.looseObject({
  api: z.string().regex(/^\d+\.\d+$/),
  buildpack: z.looseObject({
    id: z.string().regex(/^[A-Za-z0-9./-]+$/),
    version: z.string().regex(/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/),
    name: z.string().default(''),
    homepage: z.string().default(''),
    'clear-env': z.boolean().default(false),
    'sbom-formats': Texts,
    // The specification writes a table, the lifecycle a list.
    'exec-env': z.unknown().optional(),
  }),
  targets: z.array(z.looseObject({ os: z.string().default(''), arch: z.string().default('') })).default([]),
  order: z.array(z.looseObject({ group: z.array(groupEntry).min(1) })).default([]),
});

/** What a buildpack says of itself. */
export interface CnbDescriptor {
  /** Minor number of its API 0.x. */
  readonly api: number;
  readonly id: string;
  readonly version: string;
  readonly name: string;
  readonly homepage: string;
  readonly clearEnv: boolean;
  readonly sbomFormats: readonly string[];
  /** Empty: all. */
  readonly execEnv: readonly string[];
  readonly targets: readonly { readonly os: string; readonly arch: string }[];
  /** Of a composite one; empty for others. */
  readonly order: readonly (readonly GroupEntry[])[];
}

/** Lowest and highest minor number that is known. */
export const CNB_API = { lowest: 7, highest: 12 } as const;
const RESERVED: ReadonlySet<string> = new Set(['app', 'config', 'generated', 'sbom']);

/** @throws StagerError BUILDPACK_MALFORMED saying what is wrong; an API that is not known among it. */
export function parseCnbDescriptor(text: string, where: string): CnbDescriptor {
  const read = parseToml(text);
  if (!read.ok) throw malformed(where, read.reason);
  const parsed = Document.safeParse(read.value);
  if (!parsed.success) throw malformed(where, z.prettifyError(parsed.error));
  const { api, buildpack, targets, order } = parsed.data;
  const [major, minor] = api.split('.').map(Number);
  if (major !== 0 || minor === undefined || minor < CNB_API.lowest || minor > CNB_API.highest)
    throw malformed(where, `its API ${api} is not one of 0.${CNB_API.lowest} to 0.${CNB_API.highest}`);
  if (RESERVED.has(buildpack.id) || /^\.+$/.test(buildpack.id))
    throw malformed(where, `the id ${buildpack.id} is reserved`);
  const execEnv = z.array(z.string()).safeParse(buildpack['exec-env']);
  return {
    api: minor,
    id: buildpack.id,
    version: buildpack.version,
    name: buildpack.name === '' ? buildpack.id : buildpack.name,
    homepage: buildpack.homepage,
    clearEnv: buildpack['clear-env'],
    sbomFormats: buildpack['sbom-formats'],
    execEnv: execEnv.success ? execEnv.data : [],
    targets: targets.map(({ os, arch }) => ({ os, arch })),
    order: order.map(({ group }) => group.map(({ id, version, optional }) => ({ id, version, optional }))),
  };
}

/** `/` can't be in the name of a directory. */
export const escapedId = (id: string): string => id.replaceAll('/', '_');

function malformed(where: string, why: string): StagerError {
  return new StagerError('BUILDPACK_MALFORMED', `${where} is not a usable Cloud Native Buildpack: ${why}`, {
    next: `Use a buildpack of API 0.${CNB_API.lowest} to 0.${CNB_API.highest}.`,
    details: { buildpack: where },
  });
}
