/** The lifecycle of a request → columns of an app, or the sentence that refuses it. */
import type { z } from 'zod';
import type { App, NewApp } from '../../../../service/resources/apps.ts';
import { disabledBecause } from '../../../../service/resources/feature-flags.ts';
import type { Queries } from '../../../../service/state/database.ts';
import type { LifecycleType } from '../../../../service/state/schema-apps.ts';
import { type GivenCredentials, parseGivenCredentials } from '../../../../stores/registry/credentials.ts';
import { parseImageReference } from '../../../../stores/registry/reference.ts';
import { isStagerError } from '../../../../words/errors.ts';
import { CfError, unprocessable } from '../../route/cf-errors.ts';
import type { LifecycleInput } from './schema.ts';

type Whole = z.output<typeof LifecycleInput>;
type Input = { readonly [Key in keyof Whole]?: Whole[Key] | undefined };
type Fields = Pick<NewApp, 'lifecycle_type' | 'buildpacks' | 'stack' | 'registry_credentials'>;

/** Whom a lifecycle is for. */
interface ForApp {
  /** Absent for a new one. */
  readonly app?: Pick<App, 'lifecycle_type'> | undefined;
  /** Begins sentences about one of several apps: `For application 'shop': ` */
  readonly who?: string;
}

/** @throws CfError for a lifecycle, stack or buildpack that does not exist here, and for one that the app can't get. */
export async function lifecycleFields(
  queries: Queries,
  lifecycle: Input | undefined,
  { app, who = '' }: ForApp = {},
): Promise<Fields> {
  if (lifecycle === undefined) return {};
  const { type = app?.lifecycle_type ?? 'buildpack', data } = lifecycle;
  if (app !== undefined && type !== app.lifecycle_type) {
    throw unprocessable(`${who}Lifecycle type cannot be changed from ${app.lifecycle_type} to ${type}`);
  }
  if (type === 'docker') {
    if (lifecycle.type !== undefined) demandEmpty(data ?? {}, who);
    return { lifecycle_type: type };
  }
  const buildpacks = data?.buildpacks ?? undefined;
  if (type === 'cnb') demandCnbs(buildpacks ?? [], who);
  else await demandBuildpacks(queries, buildpacks ?? [], who);
  if (typeof data?.stack === 'string') await demandStack(queries, data.stack, who);
  return {
    lifecycle_type: type,
    ...(buildpacks !== undefined && { buildpacks }),
    ...(data?.stack !== undefined && { stack: data.stack }),
    ...(type === 'cnb' &&
      data?.credentials !== undefined && {
        registry_credentials: data.credentials === null ? null : credentialsIn(data.credentials, who),
      }),
  };
}

/** Docker and cnb are off until an admin turns them on, as with Cloud Controller. @throws CfError. */
export async function demandLifecycle(queries: Queries, type: LifecycleType): Promise<void> {
  const why = await whyOff(queries, type);
  if (why !== undefined) throw new CfError('FeatureDisabled', why);
}

/** The sentence, when the lifecycle is off. */
export async function whyOff(queries: Queries, type: LifecycleType): Promise<string | undefined> {
  return type === 'buildpack' ? undefined : await disabledBecause(queries, `diego_${type}`);
}

/** By registry, as the lifecycle takes them. @throws CfError, without their text. */
export function credentialsIn(credentials: object, who = ''): GivenCredentials {
  try {
    return parseGivenCredentials(JSON.stringify(credentials), 'credentials');
  } catch (error) {
    if (!isStagerError(error)) throw error;
    throw unprocessable(
      `${who}Lifecycle Credentials must be a username and a password, or a token, for each registry`,
    );
  }
}

/** Cloud Native Buildpacks have addresses: none is installed here. @throws CfError. */
export function demandCnbs(names: readonly string[], who = ''): void {
  for (const name of names) if (!isCnbAddress(name)) throw unknownBuildpack(name, who);
}

function isCnbAddress(text: string): boolean {
  if (/^https?:\/\//i.test(text)) return URL.canParse(text);
  if (!text.startsWith('docker://')) return false;
  try {
    parseImageReference(text);
    return true;
  } catch (error) {
    if (isStagerError(error)) return false;
    throw error;
  }
}

/** An image brings everything. */
function demandEmpty(data: object, who: string): void {
  const keys = Object.keys(data);
  if (keys.length === 0) return;
  const names = keys.map((key) => `'${key}'`).join(', ');
  throw unprocessable(`${who}Lifecycle Unknown field(s): ${names}`);
}

/** Names must be installed; addresses are taken as they are. @throws CfError. */
async function demandBuildpacks(queries: Queries, names: readonly string[], who: string): Promise<void> {
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
