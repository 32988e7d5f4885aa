/** The buildpacks of a staging: found and fetched before, recorded in a lock file after. */
import { resolve as resolvePath } from 'node:path';
import type { StagingRecord } from '../../words/staging-record.ts';
import { isHerokuStaging, sourceWishes } from '../buildpack/acquire/app-order.ts';
import { checkLock, readLock, writeLock } from '../buildpack/acquire/lock-file.ts';
import { lockOf, type ResolvedOrder, resolveOrder } from '../buildpack/acquire/resolve.ts';
import { parseReference, referenceSecrets } from '../buildpack/contract/reference.ts';
import type { Source } from '../source/entry.ts';
import type { ScriptsInput } from './scripts.ts';
import type { Staging, StagingStack } from './staging.ts';

/** An order that is given back when the staging ends. */
export type HeldOrder = ResolvedOrder & AsyncDisposable;

/** Finds and fetches the buildpacks: those that were asked for, or that a Heroku app names, or the installed ones. */
export async function resolveBuildpacks(
  staging: Staging,
  stack: StagingStack,
  app: Source,
): Promise<HeldOrder> {
  const { request, ports, signal, report } = staging;
  const { lock } = request;
  if (lock?.mode === 'write') await checkLock(lock);
  const frozen = lock?.mode === 'frozen' ? await readLock(lock) : undefined;
  const asked = request.buildpacks.length > 0 ? request.buildpacks : await namedByApp(staging, app);
  // What is locked can be fetched again without being named again.
  const texts = asked.length > 0 ? asked : (frozen?.buildpacks.map(({ buildpack }) => buildpack) ?? []);
  const references = texts.map((text) => parseReference(text, { cwd: resolvePath('.') }));
  staging.secrets.push(...references.flatMap(referenceSecrets));
  const input = {
    references,
    stack: stack.name,
    ...(request.buildpackApi !== undefined && { api: request.buildpackApi }),
    ...(frozen !== undefined && { frozen }),
  };
  const order = await staging.phases.run(
    { name: 'buildpacks' },
    () => resolveOrder(input, ports.buildpacks, { signal, report }),
    ({ mode, order: found }) =>
      mode === 'detect' ? `${found.length} installed to try` : found.map(({ name }) => name).join(', '),
  );
  return { ...order, [Symbol.asyncDispose]: () => order.release() };
}

/** `.buildpacks` and app.json count where the staging is Heroku's; their variables are defaults. */
async function namedByApp(staging: Staging, app: Source): Promise<readonly string[]> {
  const { request, signal } = staging;
  if (!isHerokuStaging(request.stack, request.buildpackApi)) return [];
  const wishes = await sourceWishes(app, { signal });
  staging.envDefaults = wishes.env;
  return wishes.buildpacks;
}

/** `--lock`: records the buildpacks that were used. */
export async function lockIfAsked(
  { request }: Staging,
  { stack, buildpacks }: Pick<ScriptsInput, 'stack' | 'buildpacks'>,
  { buildpacks: used }: Pick<StagingRecord, 'buildpacks'>,
): Promise<void> {
  if (request.lock?.mode !== 'write') return;
  const selected = used.map(({ key }) => key);
  await writeLock(request.lock, lockOf(buildpacks, { stack: stack.name, selected }));
}
