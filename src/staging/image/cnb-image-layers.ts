/**
 * A droplet of Cloud Native Buildpacks as the layers that their lifecycle makes, in its order: one for each layer of a
 * buildpack, bills of materials, the app, the launcher, its configuration, links for the process types. Paths are those
 * of the droplet, since programs in it have them written down.
 */
import { stat } from 'node:fs/promises';
import { StagerError } from '../../words/errors.ts';
import { escapedId } from '../cnb/cnb-descriptor.ts';
import { CNB_INSIDE } from '../cnb/cnb-home.ts';
import type { UnpackedCnbDroplet } from '../cnb/cnb-launch-layers.ts';
import type { LaunchedCnb, LaunchedProcess } from '../cnb/cnb-metadata.ts';
import { SBOM_DIRECTORY } from '../cnb/cnb-sbom.ts';
import type { TreeEntry } from '../droplet/tar/tree-walk.ts';
import { CNB_ANY, CNB_IMAGE_LAUNCHER, CNB_LIFECYCLE, CNB_PROCESS, CNB_TYPES } from './cnb-image-script.ts';
import { launchText } from './cnb-image-types.ts';
import { appLayers } from './cnb-slices.ts';
import {
  chainEntries,
  directoryEntry,
  type LayerPlan,
  latinName,
  linkEntry,
  ROOT_OWNER,
  textEntry,
  treeLayer,
} from './layer-entries.ts';

/** What the label says of a layer. */
export type CnbLayerRole =
  | { readonly kind: 'layer'; readonly buildpack: string; readonly name: string }
  | { readonly kind: 'app' | 'sbom' | 'launcher' | 'config' | 'process-types' };

/** One layer that is to be packed, and what it is. */
export interface CnbLayerPlan extends LayerPlan {
  readonly role: CnbLayerRole;
}

/** What decides the layers, beside the droplet. */
export interface CnbLayerWish {
  /** Program that starts processes; absent: ours. */
  readonly launcher?: string;
  readonly slices: readonly (readonly string[])[];
}

/** In the order in which they stand on the base. */
export async function cnbImageLayers(
  droplet: UnpackedCnbDroplet,
  { launcher, slices }: CnbLayerWish,
): Promise<readonly CnbLayerPlan[]> {
  const { home, metadata } = droplet;
  const plans: CnbLayerPlan[] = [];
  for (const buildpack of metadata.buildpacks) plans.push(...(await layersOfCnb(buildpack, droplet)));
  const sbom = `${SBOM_DIRECTORY}/launch`;
  if (await home.isDirectory(sbom)) {
    const title = 'Software Bill-of-Materials';
    plans.push({ title, role: { kind: 'sbom' }, entries: await treeAt(sbom, droplet) });
  }
  for (const plan of appLayers(await home.real(CNB_INSIDE.app), slices))
    plans.push({ ...plan, role: { kind: 'app' } });
  const title = 'Buildpacks Application Launcher';
  plans.push({ title, role: { kind: 'launcher' }, entries: await launcherLayer(launcher) });
  plans.push(await configLayer(droplet, launcher === undefined));
  if (metadata.processes.length > 0) {
    const links = () => processEntries(metadata.processes);
    plans.push({ title: 'Buildpacks Process Types', role: { kind: 'process-types' }, entries: links });
  }
  return plans;
}

async function layersOfCnb(
  { id, version }: LaunchedCnb,
  droplet: UnpackedCnbDroplet,
): Promise<readonly CnbLayerPlan[]> {
  const directory = `${CNB_INSIDE.layers}/${escapedId(id)}`;
  const plans: CnbLayerPlan[] = [];
  for (const { name, isDirectory } of await droplet.home.names(directory)) {
    if (!isDirectory) continue;
    plans.push({
      title: `Layer: '${name}', Created by buildpack: ${id}@${version}`,
      role: { kind: 'layer', buildpack: id, name },
      entries: await treeAt(`${directory}/${name}`, droplet),
    });
  }
  return plans;
}

/** A directory of the droplet where it is inside. */
const treeAt = async (inside: string, { home }: UnpackedCnbDroplet): Promise<LayerPlan['entries']> =>
  treeLayer({ from: await home.real(inside), to: inside.slice(1) });

async function launcherLayer(launcher: string | undefined): Promise<LayerPlan['entries']> {
  const path = `${CNB_LIFECYCLE}/launcher`;
  if (launcher === undefined)
    return () => chainEntries(ownDirectories(CNB_LIFECYCLE), [textEntry(path, CNB_IMAGE_LAUNCHER, 0o755)]);
  const { size } = await programFacts(launcher);
  const entry: TreeEntry = {
    ...directoryEntry(path, ROOT_OWNER),
    type: 'file',
    mode: 0o755,
    size,
    host: latinName(launcher),
  };
  return () => chainEntries(ownDirectories(CNB_LIFECYCLE), [entry]);
}

async function programFacts(path: string) {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isFile() === true && (facts.mode & 0o111) !== 0) return facts;
  throw new StagerError('USAGE', `${path} is not a program, so it can't be the launcher of an image`, {
    next: 'Give the file /cnb/lifecycle/launcher of a builder or of a release of the lifecycle.',
    details: { path },
  });
}

/** What the launcher reads: the file of the build, and for ours what it comes to. */
async function configLayer(droplet: UnpackedCnbDroplet, ours: boolean): Promise<CnbLayerPlan> {
  const { metadata } = droplet;
  const config = await treeAt(`${CNB_INSIDE.layers}/config`, droplet);
  const files: TreeEntry[] = [];
  if (ours) {
    files.push(...ownDirectories(CNB_TYPES), textEntry(CNB_ANY, await launchText(undefined, droplet), 0o644));
    for (const process of metadata.processes)
      files.push(
        textEntry(`${CNB_TYPES}/${latinName(process.type)}`, await launchText(process, droplet), 0o644),
      );
  }
  return {
    title: 'Buildpacks Launcher Config',
    role: { kind: 'config' },
    entries: (...io) => chainEntries(files, config(...io)),
  };
}

function* processEntries(processes: readonly LaunchedProcess[]): Generator<TreeEntry> {
  yield* ownDirectories(CNB_PROCESS);
  for (const { type } of processes)
    yield linkEntry(`${CNB_PROCESS}/${latinName(type)}`, `/${CNB_LIFECYCLE}/launcher`);
}

/** A directory and those above it, root's. */
function* ownDirectories(path: string): Generator<TreeEntry> {
  const parts = path.split('/');
  for (const [index] of parts.entries())
    yield directoryEntry(`${parts.slice(0, index + 1).join('/')}/`, ROOT_OWNER);
}
