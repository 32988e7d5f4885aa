/** The lifecycle of a request → columns of an app, or the sentence that refuses it. */
import type { z } from 'zod';
import type { AppFields } from '../../../../service/resources/apps.ts';
import type { Queries } from '../../../../service/state/database.ts';
import { CfError, unprocessable } from '../../route/cf-errors.ts';
import type { LifecycleInput } from './schema.ts';

type Whole = z.output<typeof LifecycleInput>;
type Input = { readonly [Key in keyof Whole]?: Whole[Key] | undefined };

/**
 * @param who begins sentences about one of several apps: `For application 'shop': `
 * @throws CfError for a lifecycle, stack or buildpack that does not exist here.
 */
export async function lifecycleFields(
  queries: Queries,
  lifecycle: Input | undefined,
  who = '',
): Promise<Pick<AppFields, 'buildpacks' | 'stack'>> {
  if (lifecycle === undefined) return {};
  const { type, data } = lifecycle;
  if (type !== undefined && type !== 'buildpack') {
    throw unprocessable(`${who}stager stages apps of the buildpack lifecycle; it does not have ${type}.`);
  }
  const buildpacks = data?.buildpacks ?? undefined;
  if (buildpacks !== undefined) await demandBuildpacks(queries, buildpacks, who);
  if (typeof data?.stack === 'string') await demandStack(queries, data.stack, who);
  return {
    ...(buildpacks !== undefined && { buildpacks }),
    ...(data?.stack !== undefined && { stack: data.stack }),
  };
}

/** Names must be installed; addresses are taken as they are. @throws CfError. */
export async function demandBuildpacks(queries: Queries, names: readonly string[], who = ''): Promise<void> {
  for (const name of names) {
    if (/^(?:https?|git|ssh|file):\/\/|^git@/i.test(name)) {
      if (/^file:/i.test(name)) throw unknownBuildpack(name, who);
      continue;
    }
    const found = await queries
      .selectFrom('buildpacks')
      .select('guid')
      .where('name', '=', name)
      .executeTakeFirst();
    if (found === undefined) throw unknownBuildpack(name, who);
  }
}

async function demandStack(queries: Queries, name: string, who: string): Promise<void> {
  const found = await queries.selectFrom('stacks').select('guid').where('name', '=', name).executeTakeFirst();
  if (found === undefined) throw unprocessable(`${who}Stack must be an existing stack`);
}

/** A new app may not begin on a stack that is on its way out. @throws CfError. */
export async function demandOpenStack(queries: Queries, name: string | null | undefined): Promise<void> {
  const found = await queries
    .selectFrom('stacks')
    .select(['name', 'state'])
    .where((eb) => (name == null ? eb('is_default', '=', true) : eb('name', '=', name)))
    .executeTakeFirst();
  if (found?.state !== 'RESTRICTED' && found?.state !== 'DISABLED') return;
  const text = `Stack '${found.name}' is ${found.state.toLowerCase()} and can't be used for new apps.`;
  throw new CfError('StackValidationFailed', text);
}

function unknownBuildpack(name: string, who: string): Error {
  const what =
    who === ''
      ? `Buildpack ${JSON.stringify(name)} must be an existing admin buildpack or a valid git URI`
      : `Specified unknown buildpack name: ${JSON.stringify(name)}`;
  return unprocessable(`${who}${what}`);
}
