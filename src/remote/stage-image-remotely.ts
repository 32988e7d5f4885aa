/** The docker lifecycle on a server: an app and a package name the image, and the server looks at it. */
import { z } from 'zod';
import type { DockerResult } from '../staging/inspect-image.ts';
import type { Guid } from '../words/ids.ts';
import { beginBuild, endBuild, finalDroplet } from './final-droplet.ts';
import { guidText } from './guid.ts';
import { ask, type RemoteParts } from './http.ts';
import { serverLinks } from './links.ts';
import { chooseSpace, findOrCreateApp } from './space.ts';
import type { ServerTarget } from './stage-remotely.ts';

/** What to stage there. */
export interface RemoteImageWish {
  /** Name of the app. */
  readonly name: string;
  readonly image: string;
  /** For its registry. */
  readonly login?: { readonly username: string; readonly password: string };
}

/** What the server made of it. */
export interface RemoteImage {
  readonly app: string;
  readonly build: Guid;
  readonly droplet: Guid;
  readonly result: DockerResult;
}

const Created = z.object({ guid: guidText });
const Droplet = z.object({
  image: z.string(),
  execution_metadata: z.string(),
  process_types: z.looseObject({ web: z.string() }),
});

/** @throws StagerError SERVER_*, NOT_SIGNED_IN, USAGE for a space that is not clear, CANCELLED. */
export async function stageImageOnServer(
  { name, image, login }: RemoteImageWish,
  target: ServerTarget,
  parts: RemoteParts,
): Promise<RemoteImage> {
  const { api } = await serverLinks(parts, target.url);
  const lifecycle = { type: 'docker', data: {} } as const;
  const space = await chooseSpace(parts, api, target);
  const app = await findOrCreateApp(parts, api, { name, space, lifecycle });
  const relationships = { app: { data: { guid: app } } };
  const body = { type: 'docker', relationships, data: { image, ...login } };
  const { guid } = await ask(parts, { method: 'POST', url: `${api}/packages`, body }, Created);
  const build = await beginBuild(parts, api, { package: { guid }, lifecycle });
  const url = `${api}/builds/${build}`;
  try {
    const droplet = await finalDroplet(parts, url);
    const found = await ask(parts, { method: 'GET', url: `${api}/droplets/${droplet}` }, Droplet);
    return {
      app: name,
      build,
      droplet,
      result: {
        process_types: { web: found.process_types.web },
        lifecycle_metadata: { docker_image: found.image },
        lifecycle_type: 'docker',
        execution_metadata: found.execution_metadata,
      },
    };
  } catch (error) {
    if (parts.signal.aborted) await endBuild(parts, url);
    throw error;
  }
}
