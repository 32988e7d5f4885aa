/** The settings of a build: from the request, else from the app, else the platform's defaults. */
import type { z } from 'zod';
import { variableGroup } from '../../../../service/resources/app-environment.ts';
import type { App } from '../../../../service/resources/apps.ts';
import type { Package } from '../../../../service/resources/packages.ts';
import type { Queries } from '../../../../service/state/database.ts';
import { BUILDPACK_NAME, parseReference } from '../../../../staging/buildpack/contract/reference.ts';
import { isStagerError } from '../../../../words/errors.ts';
import { CfError, notImplemented, unprocessable } from '../../route/cf-errors.ts';
import { credentialsIn, demandCnbs, demandLifecycle } from '../apps/lifecycle.ts';
import type { CreateBuild } from './schema.ts';

type Request = z.output<typeof CreateBuild>;

/** @throws CfError for a lifecycle, stack or buildpack that can't be used. */
export async function lifecycleOf(
  queries: Queries,
  { app, source }: { readonly app: App; readonly source: Pick<Package, 'type'> },
  { lifecycle, warn }: Pick<Request, 'lifecycle'> & { readonly warn: (text: string) => void },
) {
  const type = lifecycle?.type ?? app.lifecycle_type;
  if ((type === 'docker') !== (source.type === 'docker'))
    throw unprocessable(`A ${source.type} package can't be staged with the lifecycle ${type}.`);
  await demandLifecycle(queries, type);
  if (type === 'docker') return { lifecycle: type, buildpacks: [], stack: null, credentials: null };
  const buildpacks = lifecycle?.data?.buildpacks ?? app.buildpacks;
  const stack = lifecycle?.data?.stack ?? app.stack ?? (await defaultStack(queries));
  const stacks = await queries.selectFrom('stacks').select(['name', 'state', 'state_reason']).execute();
  const known = stacks.find(({ name }) => name === stack);
  if (known === undefined && stacks.length > 0) throw unprocessable('Stack must be an existing stack');
  if (known?.state === 'DISABLED') {
    throw new CfError('StackValidationFailed', `Stack '${stack}' is disabled and can't be used for staging.`);
  }
  if (type === 'cnb') demandSomeCnbs(buildpacks);
  else for (const text of buildpacks) await demandBuildpack(queries, text);
  if (known?.state === 'DEPRECATED')
    warn(`Stack '${stack}' is deprecated. ${known.state_reason ?? ''}`.trim());
  const given = lifecycle?.data?.credentials ?? undefined;
  const own = given === undefined ? app.registry_credentials : credentialsIn(given);
  return { lifecycle: type, buildpacks, stack, credentials: type === 'cnb' ? own : null };
}

/** Detect has nothing to try when none is named. */
function demandSomeCnbs(buildpacks: readonly string[]): void {
  if (buildpacks.length === 0)
    throw notImplemented('installed Cloud Native Buildpacks: name some, such as -b docker://IMAGE');
  demandCnbs(buildpacks);
}

async function defaultStack(queries: Queries): Promise<string> {
  const row = await queries
    .selectFrom('stacks')
    .select('name')
    .orderBy('is_default', 'desc')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row?.name ?? 'cflinuxfs4';
}

async function demandBuildpack(queries: Queries, text: string): Promise<void> {
  if (!BUILDPACK_NAME.test(text)) {
    if (isAddress(text)) return;
    throw unknown(text);
  }
  const rows = await queries.selectFrom('buildpacks').select('enabled').where('name', '=', text).execute();
  if (rows.length === 0) throw unknown(text);
  if (rows.some(({ enabled }) => enabled)) return;
  throw new CfError('BuildpackInvalid', `Buildpack is invalid: ${JSON.stringify(text)} is disabled`);
}

function isAddress(text: string): boolean {
  try {
    const reference = parseReference(text, { cwd: '/' });
    return reference.kind === 'url' || (reference.kind === 'git' && !/^file:/i.test(reference.address.url));
  } catch (error) {
    if (isStagerError(error)) return false;
    throw error;
  }
}

function unknown(text: string): CfError {
  return unprocessable(
    `Buildpack ${JSON.stringify(text.slice(0, 200))} must be an existing admin buildpack or a valid git URI`,
  );
}

/** Everything that a build is given of variables, as it is now. */
export async function environmentOf(
  queries: Queries,
  app: App,
  { environment_variables: own = {} }: Request,
): Promise<Record<string, string>> {
  const merged = { ...(await variableGroup(queries, 'staging')), ...app.environment_variables, ...own };
  return Object.fromEntries(
    Object.entries(merged).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}
