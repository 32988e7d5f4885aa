/** Cloud Native Buildpacks on disk. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readSmall } from '../../machine/host/read-small.ts';
import { InsideView } from '../../machine/sandbox/child/inside-view.ts';
import { StagerError } from '../../words/errors.ts';
import { type CnbDescriptor, parseCnbDescriptor } from './cnb-descriptor.ts';

/** A buildpack on disk. */
export interface CnbDirectory {
  readonly descriptor: CnbDescriptor;
  readonly root: string;
}

/** The buildpack in a directory. @throws StagerError BUILDPACK_MALFORMED, also for an image extension. */
export async function readCnb(root: string, name: string): Promise<CnbDirectory> {
  const file = await readSmall(join(root, 'buildpack.toml'), root);
  if (file.kind === 'text') return { descriptor: parseCnbDescriptor(file.text, name), root };
  if (file.kind === 'absent' && (await readSmall(join(root, 'extension.toml'), root)).kind === 'text')
    throw isExtension(name);
  const why = file.kind === 'absent' ? 'there is none' : file.reason;
  const supply = await new InsideView(root, []).resolve('/bin/supply');
  if (file.kind === 'absent' && 'stats' in supply)
    throw new StagerError(
      'BUILDPACK_MALFORMED',
      `${name} is a buildpack for Cloud Foundry's other lifecycle`,
      {
        next: 'Leave --lifecycle cnb out, or make a package of it with stager buildpack package --cnb.',
        details: { buildpack: name },
      },
    );
  throw new StagerError('BUILDPACK_MALFORMED', `${name} has no buildpack.toml that can be read: ${why}`, {
    next: 'Give the root of a Cloud Native Buildpack.',
    details: { buildpack: name },
  });
}

/** An extension changes images by Dockerfiles, and a droplet has no image. */
export function isExtension(name: string): StagerError {
  return new StagerError(
    'BUILDPACK_MALFORMED',
    `${name} is an image extension, and those can't be run here`,
    {
      next: 'Leave it out; import a stack that has what it would install (stager stack add).',
      details: { buildpack: name },
    },
  );
}

/** The buildpacks below `cnb/buildpacks` of what an image held; no link is followed out of it. */
export async function cnbsBelow(root: string): Promise<CnbDirectory[]> {
  const view = new InsideView(root, []);
  const found: CnbDirectory[] = [];
  for (const id of await namesOf(view, '/cnb/buildpacks')) {
    for (const version of await namesOf(view, `/cnb/buildpacks/${id}`)) {
      const place = await view.resolve(`/cnb/buildpacks/${id}/${version}`);
      if (!('stats' in place) || !place.stats.isDirectory()) continue;
      const toml = await view.resolve(`${place.inside}/buildpack.toml`);
      if ('stats' in toml && toml.stats.isFile()) found.push(await readCnb(place.host, `${id}/${version}`));
    }
  }
  return found;
}

async function namesOf(view: InsideView, path: string): Promise<readonly string[]> {
  const found = await view.resolve(path);
  return 'stats' in found && found.stats.isDirectory() ? (await readdir(found.host)).toSorted() : [];
}
