/** What a package of type docker holds instead of bytes. The password is read by the worker alone. */
import { sql } from 'kysely';
import { z } from 'zod';
import type { Guid } from '../../words/ids.ts';
import { json } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import type { Package } from './packages.ts';

const DockerData = z.object({
  image: z.string(),
  username: z.string().nullish(),
  password: z.string().nullish(),
});

/** An image, and how its registry is signed in to. */
export type DockerImage = z.output<typeof DockerData>;

export function dockerImageOf({ data }: Pick<Package, 'data'>): DockerImage {
  return DockerData.parse(data);
}

/** What is undefined stays. */
export async function setDockerLogin(
  queries: Queries,
  guid: Guid,
  login: Pick<DockerImage, 'username' | 'password'>,
): Promise<void> {
  const change = Object.fromEntries(Object.entries(login).filter(([, value]) => value != null));
  await queries
    .updateTable('packages')
    .set({ data: sql<string>`data || ${json(change)}::jsonb`, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .execute();
}
