/** What the layers of a droplet hold for the launch of a process, in the order in which it counts. */
import { escapedId } from './cnb-descriptor.ts';
import { CNB_INSIDE, type CnbHome } from './cnb-home.ts';
import type { CnbMetadata } from './cnb-metadata.ts';

/** A droplet that is unpacked. */
export interface UnpackedCnbDroplet {
  readonly home: CnbHome;
  readonly metadata: CnbMetadata;
}

/** Directories of layers, inside, for each buildpack. */
export async function launchLayers({ home, metadata }: UnpackedCnbDroplet): Promise<readonly string[][]> {
  const all: string[][] = [];
  for (const { id } of metadata.buildpacks) {
    const directory = `${CNB_INSIDE.layers}/${escapedId(id)}`;
    const names = (await home.names(directory)).filter(({ isDirectory }) => isDirectory);
    all.push(names.map(({ name }) => `${directory}/${name}`));
  }
  return all;
}

/** Directories of a layer with variables; those of a type count for its process only. */
export const launchEnvDirectories = (type: string | undefined): readonly string[] => [
  'env',
  'env.launch',
  ...(type === undefined ? [] : [`env.launch/${type}`]),
];

/** Files of a directory of each layer, then those for the type. */
export async function launchFiles(
  directory: 'exec.d' | 'profile.d',
  type: string | undefined,
  droplet: UnpackedCnbDroplet,
): Promise<readonly string[]> {
  const files: string[] = [];
  const places = [directory, ...(type === undefined ? [] : [`${directory}/${type}`])];
  for (const layer of (await launchLayers(droplet)).flat()) {
    for (const place of places) {
      for (const { name, isDirectory } of await droplet.home.names(`${layer}/${place}`))
        if (!isDirectory) files.push(`${layer}/${place}/${name}`);
    }
  }
  return files;
}
