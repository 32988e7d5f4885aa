/** The layers that a buildpack left: what they are, and which of them go on (buildpack-contracts.md 5.8). */
import { rename } from 'node:fs/promises';
import { removeTree } from '../../machine/host/remove-tree.ts';
import { StagerError } from '../../words/errors.ts';
import { escapedId } from './cnb-descriptor.ts';
import type { CnbDirectory } from './cnb-directory.ts';
import { CNB_INSIDE, type CnbHome } from './cnb-home.ts';
import { type LaunchToml, type LayerToml, readLayerToml } from './cnb-launch.ts';

/** What one buildpack left. */
export interface BuiltCnb {
  readonly buildpack: CnbDirectory;
  readonly launch: LaunchToml;
  /** Name → what it is. */
  readonly layers: ReadonlyMap<string, LayerToml>;
  /** Text of store.toml. */
  readonly store?: string;
}

/** Names of files that describe no layer. */
const NOT_LAYERS: ReadonlySet<string> = new Set(['launch', 'build', 'store']);

/** Where a buildpack puts its layers, inside. */
export const layersDirectory = ({ descriptor }: CnbDirectory): string =>
  `${CNB_INSIDE.layers}/${escapedId(descriptor.id)}`;

/**
 * Layers with a file that says what they are, sorted by name; a directory without types is set aside.
 *
 * @throws StagerError COMPILE_FAILED for a file that is not usable, or a layer that is a link or a file.
 */
export async function layersOf(
  home: CnbHome,
  buildpack: CnbDirectory,
): Promise<ReadonlyMap<string, LayerToml>> {
  const directory = layersDirectory(buildpack);
  const layers = new Map<string, LayerToml>();
  for (const { name: file } of await home.names(directory)) {
    const name = /^(.+)\.toml$/.exec(file)?.[1];
    if (name === undefined || NOT_LAYERS.has(name)) continue;
    const text = await home.text(`${directory}/${file}`);
    if (text === undefined) continue;
    const layer = readLayerToml(text, buildpack.descriptor, name);
    layers.set(name, layer);
    const path = await home.real(`${directory}/${name}`);
    const none = !layer.launch && !layer.build && !layer.cache;
    if (!none || !(await home.isDirectory(`${directory}/${name}`))) continue;
    await removeTree(`${path}.ignore`);
    await rename(path, `${path}.ignore`);
  }
  return layers;
}

/** Puts the content of a layer of an earlier build where it belongs; false when there is none. */
export type ReuseLayer = (buildpack: CnbDirectory, name: string) => Promise<boolean>;

/** Takes away what is not launched, and brings back what is. @throws StagerError COMPILE_FAILED for a layer that is nowhere. */
export async function keepLaunchLayers(
  home: CnbHome,
  built: readonly BuiltCnb[],
  reuse: ReuseLayer,
): Promise<void> {
  for (const { buildpack, layers } of built) {
    const directory = layersDirectory(buildpack);
    for (const [name, { launch, cache }] of layers) {
      if (!launch || (await home.isDirectory(`${directory}/${name}`))) continue;
      if (cache) throw missing(buildpack, name, 'wants it cached as well, and left no directory');
      if (!(await reuse(buildpack, name)))
        throw missing(buildpack, name, 'left no directory, and no earlier build left one');
    }
    for (const { name, isDirectory } of await home.names(directory)) {
      if (isDirectory && layers.get(name)?.launch !== true) await home.remove(`${directory}/${name}`);
    }
  }
}

function missing({ descriptor }: CnbDirectory, layer: string, why: string): StagerError {
  const who = `${descriptor.id}@${descriptor.version}`;
  return new StagerError('COMPILE_FAILED', `${who} wants the layer ${layer} launched, but ${why}`, {
    next: 'Stage again with --clear-cache; if that fails as well, report it to the authors of the buildpack.',
    details: { buildpack: descriptor.id, layer },
  });
}
