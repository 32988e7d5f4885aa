/** A droplet of Cloud Native Buildpacks in an image, as their lifecycle exports one. */
import type { RunConfig } from '../../stores/registry/documents.ts';
import { formatReference } from '../../stores/registry/reference.ts';
import { CNB_INSIDE, CnbHome } from '../cnb/cnb-home.ts';
import type { UnpackedCnbDroplet } from '../cnb/cnb-launch-layers.ts';
import { CNB_METADATA, readCnbMetadata } from '../cnb/cnb-metadata.ts';
import type { ImageBase } from './bases.ts';
import { cnbImageLayers } from './cnb-image-layers.ts';
import { CNB_LIFECYCLE, CNB_PROCESS } from './cnb-image-script.ts';
import {
  buildLabel,
  type CnbLeft,
  type CnbRunImage,
  LIFECYCLE_LABEL,
  launchTomls,
  lifecycleLabel,
  type PackedCnbLayer,
} from './cnb-labels.ts';
import {
  baseVariables,
  type ContentFacts,
  demandTypeNames,
  IMAGE_USER,
  type ImageContent,
  mainType,
} from './droplet-content.ts';

/** What an image of Cloud Native Buildpacks may be told beside. */
export interface CnbContentFacts extends ContentFacts {
  readonly launcher?: string;
  readonly mirrors?: readonly string[];
}

/** The API of Cloud Foundry's lifecycle, which the launcher of an operator has to know. */
const PLATFORM_API = '0.14';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The droplet in `home`, when it is one of Cloud Native Buildpacks. @throws StagerError DROPLET_INVALID, USAGE. */
export async function cnbContent(home: string, facts: CnbContentFacts): Promise<ImageContent | undefined> {
  const files = new CnbHome(home, 'DROPLET_INVALID');
  const text = await files.text(CNB_METADATA);
  if (text === undefined) return undefined;
  const droplet = { home: files, metadata: readCnbMetadata(text) };
  demandTypeNames(droplet.metadata.processes.map(({ type }) => type));
  const left = await launchTomls(droplet);
  const { launcher } = facts;
  const plans = await cnbImageLayers(droplet, {
    slices: left.slices,
    ...(launcher !== undefined && { launcher }),
  });
  return {
    plans,
    run: async (base, packed) => {
      const roles = plans.flatMap(({ role }, index): PackedCnbLayer[] => {
        const diffId = packed[index]?.diffId;
        return diffId === undefined ? [] : [{ role, diffId }];
      });
      const lifecycle = await lifecycleLabel(roles, runImageOf(base, facts), droplet);
      return runConfig(base, droplet, { ...facts, left, lifecycle });
    },
  };
}

/** As the label names a base; what is in no registry has no name that others could use. */
function runImageOf(
  { layers, name, digest, reference }: ImageBase,
  { mirrors = [] }: CnbContentFacts,
): CnbRunImage | undefined {
  const topLayer = layers.at(-1)?.diffId;
  if (topLayer === undefined) return undefined;
  if (reference === undefined || digest === undefined) return { topLayer, reference: name, mirrors };
  const { registry, repository } = reference;
  return {
    topLayer,
    reference: formatReference({ registry, repository, digest }),
    image: formatReference(reference),
    mirrors,
  };
}

interface CnbLabelling extends CnbContentFacts {
  readonly left: CnbLeft;
  readonly lifecycle: string;
}

function runConfig(base: ImageBase, droplet: UnpackedCnbDroplet, labelling: CnbLabelling): RunConfig {
  const { Cmd: _, ...own } = base.config?.config ?? {};
  const inherited = baseVariables(base);
  const isRoot = /^(|0|root)(:.*)?$/.test(own.User ?? '');
  const env = new Map([
    ...inherited,
    ...(isRoot ? ([['HOME', CNB_INSIDE.home]] as const) : []),
    ['CNB_LAYERS_DIR', CNB_INSIDE.layers],
    ['CNB_APP_DIR', CNB_INSIDE.app],
    ['CNB_PLATFORM_API', PLATFORM_API],
    ['CNB_DEPRECATION_MODE', 'quiet'],
    ['PATH', `/${CNB_PROCESS}:/${CNB_LIFECYCLE}:${inherited.get('PATH') ?? PATH}`],
  ]);
  return {
    ...own,
    User: isRoot ? IMAGE_USER : own.User,
    Env: [...env].map(([name, value]) => `${name}=${value}`),
    Entrypoint: [entrypoint(droplet, labelling.process)],
    WorkingDir: CNB_INSIDE.app,
    Labels: labelsOf(base, droplet, labelling),
  };
}

/** The default process; `web` without one, as on Cloud Foundry. */
function entrypoint({ metadata }: UnpackedCnbDroplet, wanted: string | undefined): string {
  const types = metadata.processes.map(({ type }) => type);
  const usual = metadata.defaultType ?? 'web';
  const main = mainType(types, wanted ?? (types.includes(usual) ? usual : undefined));
  return main === undefined ? `/${CNB_LIFECYCLE}/launcher` : `/${CNB_PROCESS}/${main}`;
}

function labelsOf(
  base: ImageBase,
  droplet: UnpackedCnbDroplet,
  { left, lifecycle, version, record, launcher }: CnbLabelling,
): Record<string, string> {
  const { stack } = base;
  return {
    ...(stack !== undefined && {
      'io.buildpacks.stack.id': stack.name,
      ...(stack.distro !== undefined && { 'io.buildpacks.base.distro.name': stack.distro }),
      ...(stack.distroVersion !== undefined && {
        'io.buildpacks.base.distro.version': stack.distroVersion,
      }),
    }),
    'io.buildpacks.rebasable': 'true',
    ...base.config?.config?.Labels,
    'io.stager.version': version,
    ...(record !== undefined && { 'io.stager.droplet.sha256': record.droplet.sha256 }),
    [LIFECYCLE_LABEL]: lifecycle,
    'io.buildpacks.build.metadata': buildLabel(droplet, launcher === undefined ? version : ''),
    'io.buildpacks.project.metadata': '{}',
    // Last, as in the lifecycle: a buildpack may replace any of them.
    ...Object.fromEntries(left.labels.map(({ key, value }) => [key, value])),
  };
}
