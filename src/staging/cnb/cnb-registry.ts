/**
 * The Buildpack Registry: names of buildpacks → images by digest, as lines of JSON in the files of a git repository
 * (RFC 22 of the buildpacks project).
 */
import { join } from 'node:path';
import { gt, valid } from 'semver';
import { z } from 'zod';
import { readSmall } from '../../machine/host/read-small.ts';
import { StagerError } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';

/** Where the public index is. */
export const CNB_REGISTRY = 'https://github.com/buildpacks/registry-index';

const NAME = /^([a-z0-9][a-z0-9.-]*)\/([a-z0-9][a-z0-9.-]*)(?:@(.+))?$/i;
const Line = z.looseObject({
  ns: z.string(),
  name: z.string(),
  version: z.string(),
  yanked: z.boolean().default(false),
  addr: z.string().min(1),
});
type Line = z.infer<typeof Line>;

/** A name in the registry. */
export interface RegistryName {
  readonly id: string;
  readonly version?: string;
  /** Of the file in the index: directories by the first letters of the name. */
  readonly file: string;
}

/** What follows `urn:cnb:registry:`. @throws StagerError USAGE. */
export function registryName(text: string): RegistryName {
  const [, ns, name, version] = NAME.exec(text) ?? [];
  if (ns === undefined || name === undefined) {
    throw new StagerError('USAGE', `${JSON.stringify(text)} is not a name of the Buildpack Registry`, {
      next: 'Write urn:cnb:registry:NAMESPACE/NAME, and @VERSION if it has to be a certain one.',
    });
  }
  const above =
    name.length < 3
      ? [String(name.length)]
      : name.length === 3
        ? ['3', name.slice(0, 2)]
        : [name.slice(0, 2), name.slice(2, 4)];
  const file = join(...above, `${ns}_${name}`);
  return { id: `${ns}/${name}`, file, ...(version !== undefined && { version }) };
}

/**
 * Image of a buildpack in the index that was cloned to `index`: of the version that is named, or of the newest that was
 * not taken back.
 *
 * @throws StagerError BUILDPACK_NOT_FOUND, BUILDPACK_MALFORMED.
 */
export async function imageInIndex(index: string, wanted: RegistryName): Promise<string> {
  const { id, version, file } = wanted;
  const found = await readSmall(join(index, file), index);
  if (found.kind === 'absent') throw notThere(`the Buildpack Registry has no buildpack ${id}`);
  if (found.kind === 'unusable') throw malformed(id, found.reason);
  const lines = linesOf(found.text, wanted);
  const chosen = version === undefined ? newest(lines) : lines.find((line) => line.version === version);
  if (chosen !== undefined) return chosen.addr;
  const versions = lines.filter(({ yanked }) => !yanked).map((line) => line.version);
  throw notThere(
    version === undefined
      ? `all versions of ${id} were taken back from the Buildpack Registry`
      : `the Buildpack Registry has no version ${version} of ${id}`,
    versions.length === 0 ? undefined : `It has ${versions.slice(-10).reverse().join(', ')}.`,
  );
}

function linesOf(text: string, { id }: RegistryName): readonly Line[] {
  return text.split('\n').flatMap((line) => {
    if (line.trim() === '') return [];
    const parsed = Line.safeParse(parseJson(line));
    if (!parsed.success) throw malformed(id, z.prettifyError(parsed.error));
    return `${parsed.data.ns}/${parsed.data.name}` === id ? [parsed.data] : [];
  });
}

function newest(lines: readonly Line[]): Line | undefined {
  let best: Line | undefined;
  for (const line of lines) {
    if (line.yanked || valid(line.version) === null) continue;
    if (best === undefined || gt(line.version, best.version)) best = line;
  }
  return best;
}

function notThere(
  message: string,
  next = 'Look the name up at https://registry.buildpacks.io.',
): StagerError {
  return new StagerError('BUILDPACK_NOT_FOUND', message, { next });
}

function malformed(id: string, why: string): StagerError {
  return new StagerError(
    'BUILDPACK_MALFORMED',
    `what the Buildpack Registry says of ${id} is damaged: ${why}`,
    {
      next: 'Give the image itself: docker://IMAGE@sha256:….',
      details: { buildpack: id },
    },
  );
}
