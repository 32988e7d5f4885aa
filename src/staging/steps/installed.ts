/** What buildpacks of the kit installed, as `deps/<idx>/installed.json` has it; docs/kit.md. */
import { join } from 'node:path';
import { z } from 'zod';
import { namesIn } from '../../machine/host/names-in.ts';
import { readSmall } from '../../machine/host/read-small.ts';
import { parseJson } from '../../words/json.ts';
import type { DependencyRecord } from '../../words/staging-record.ts';
import { dependencySchema } from '../../words/staging-record-schema.ts';

/** More than the packages of any runtime; whoever writes more means harm. */
const MOST = 1000;
const installedSchema = z.array(dependencySchema).max(MOST);

/** In the order of the buildpacks. A script may have written anything there: what is strange is left out. */
export async function installedIn(deps: string): Promise<DependencyRecord[]> {
  const found: DependencyRecord[] = [];
  for (const idx of (await namesIn(deps)).toSorted()) {
    const file = await readSmall(join(deps, idx, 'installed.json'), deps);
    const parsed = installedSchema.safeParse(file.kind === 'text' ? parseJson(file.text) : []);
    found.push(...(parsed.data ?? []));
  }
  return found;
}
