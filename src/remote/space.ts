/** Where on a server an app is: its organization and space, and the app itself, made when it is not there. */
import { z } from 'zod';
import { StagerError } from '../words/errors.ts';
import type { Guid } from '../words/ids.ts';
import { guidText } from './guid.ts';
import { ask, hostOf, type RemoteParts } from './http.ts';

/** Names; without them the one space that there is. */
export interface Place {
  readonly org?: string | undefined;
  readonly space?: string | undefined;
}

const Named = z.object({ guid: guidText, name: z.string() });
const List = z.object({ resources: z.array(Named) });

/** The space to stage in. @throws StagerError USAGE when that is not clear, SERVER_REFUSED when it is not there. */
export async function chooseSpace(parts: RemoteParts, api: string, place: Place): Promise<Guid> {
  const organizations =
    place.org === undefined
      ? {}
      : { organization_guids: (await organization(parts, api, place.org)).toString() };
  const names = place.space === undefined ? {} : { names: comma(place.space) };
  const query = { ...organizations, ...names, per_page: '50' };
  const { resources } = await ask(parts, { method: 'GET', url: `${api}/spaces`, query }, List);
  const [only, ...more] = resources;
  if (only === undefined) {
    throw new StagerError('SERVER_REFUSED', `${hostOf(api)} shows no such space`, {
      next: 'Name one with --org and --space, in which you are a developer.',
      details: { ...place },
    });
  }
  if (more.length > 0) {
    throw new StagerError('USAGE', 'there are several spaces; it is not clear which one you mean', {
      next: `Choose one with --org and --space (${resources.map(({ name }) => name).join(', ')}).`,
      details: { spaces: resources.map(({ name }) => name) },
    });
  }
  return only.guid;
}

async function organization(parts: RemoteParts, api: string, name: string): Promise<Guid> {
  const query = { names: comma(name) };
  const { resources } = await ask(parts, { method: 'GET', url: `${api}/organizations`, query }, List);
  const [found] = resources;
  if (found !== undefined) return found.guid;
  throw new StagerError('SERVER_REFUSED', `${hostOf(api)} shows no organization ${name}`, {
    next: 'Give the name of one in which you have a role.',
    details: { org: name },
  });
}

/** The app of that name in the space; one that has to be made gets the lifecycle, if there is one. */
export async function findOrCreateApp(
  parts: RemoteParts,
  api: string,
  { name, space, ...more }: { readonly name: string; readonly space: Guid; readonly lifecycle?: object },
): Promise<Guid> {
  const url = `${api}/apps`;
  const query = { names: comma(name), space_guids: space };
  const { resources } = await ask(parts, { method: 'GET', url, query }, List);
  const [found] = resources;
  if (found !== undefined) return found.guid;
  const body = { name, ...more, relationships: { space: { data: { guid: space } } } };
  return (await ask(parts, { method: 'POST', url, body }, Named)).guid;
}

/** A comma separates names in a query. */
function comma(name: string): string {
  return name.replaceAll(',', '%2C');
}
