/** Bills of materials that buildpacks write: checked, and copied below `layers/sbom` (buildpack-contracts.md 5.9). */

import type { Owner } from '../../machine/host/owner.ts';
import { StagerError } from '../../words/errors.ts';
import { escapedId } from './cnb-descriptor.ts';
import { CNB_INSIDE, type CnbHome } from './cnb-home.ts';
import { type BuiltCnb, layersDirectory } from './cnb-layers.ts';

/** Ends of file names → media type. */
const FORMATS = new Map([
  ['sbom.cdx.json', 'application/vnd.cyclonedx+json'],
  ['sbom.spdx.json', 'application/spdx+json'],
  ['sbom.syft.json', 'application/vnd.syft+json'],
]);
/** As the lifecycle's pattern `*.sbom.*.json`. */
const SBOM = /^([^.]*).*\.sbom\..*\.json$/;

/** Directory of all of them, inside. */
export const SBOM_DIRECTORY = `${CNB_INSIDE.layers}/sbom`;

/** One file, and where it goes below {@link SBOM_DIRECTORY}. */
export interface SbomCopy {
  readonly from: string;
  readonly to: string;
}

/**
 * What is to be copied for one buildpack.
 *
 * @throws StagerError COMPILE_FAILED for a format that is not known, or that the buildpack does not declare.
 */
export function sbomCopies(
  { buildpack, layers }: Pick<BuiltCnb, 'buildpack' | 'layers'>,
  files: readonly string[],
): readonly SbomCopy[] {
  const { id, sbomFormats } = buildpack.descriptor;
  const declared = new Set(sbomFormats.map((type) => type.split(';', 1)[0]?.trim().toLowerCase()));
  const copies: SbomCopy[] = [];
  for (const file of files) {
    const owner = SBOM.exec(file)?.[1];
    const kinds = owner === undefined ? [] : kindsOf(owner, layers);
    if (owner === undefined || kinds.length === 0) continue;
    const name = [...FORMATS.keys()].find((end) => file.endsWith(`.${end}`));
    if (name === undefined) throw refused(id, file, 'has a format that is not known');
    if (!declared.has(FORMATS.get(name)))
      throw refused(id, file, `is ${FORMATS.get(name)}, which its buildpack.toml does not declare`);
    const place = owner === 'launch' || owner === 'build' ? '' : `${owner}/`;
    for (const kind of kinds)
      copies.push({
        from: `${layersDirectory(buildpack)}/${file}`,
        to: `${kind}/${escapedId(id)}/${place}${name}`,
      });
  }
  return copies;
}

function kindsOf(owner: string, layers: BuiltCnb['layers']): readonly ('launch' | 'build' | 'cache')[] {
  if (owner === 'launch' || owner === 'build') return [owner];
  const layer = layers.get(owner);
  if (layer === undefined) return [];
  return [layer.launch ? 'launch' : 'build', ...(layer.cache ? (['cache'] as const) : [])];
}

/** Empties {@link SBOM_DIRECTORY} and copies what the buildpacks left. */
export async function collectSboms(home: CnbHome, built: readonly BuiltCnb[], owner: Owner): Promise<void> {
  await home.remove(SBOM_DIRECTORY);
  for (const one of built) {
    const files = (await home.names(layersDirectory(one.buildpack))).filter((it) => !it.isDirectory);
    for (const { from, to } of sbomCopies(
      one,
      files.map(({ name }) => name),
    )) {
      await home.copy(from, `${SBOM_DIRECTORY}/${to}`, owner);
    }
  }
}

function refused(id: string, file: string, why: string): StagerError {
  return new StagerError('COMPILE_FAILED', `the bill of materials ${file} of ${id} ${why}`, {
    next: 'Report it to the authors of the buildpack.',
    details: { buildpack: id, file },
  });
}
