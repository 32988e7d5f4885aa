/** `stager buildpack list|add|update|show|remove`: the installed buildpacks, as `cf buildpacks` has them. */

import type { FetchedBuildpack } from '../../../staging/buildpack/acquire/fetch.ts';
import type { BuildpackSettings, InstalledBuildpack } from '../../../staging/buildpack/acquire/registry.ts';
import type { ResolveParts } from '../../../staging/buildpack/acquire/resolve.ts';
import { parseReference } from '../../../staging/buildpack/contract/reference.ts';
import { StagerError } from '../../../words/errors.ts';
import { parseSha256 } from '../../../words/ids.ts';
import type { Context } from '../input/context.ts';
import { table } from '../terminal/table.ts';

/** The list in detect order. */
export async function buildpackList(context: Context): Promise<number> {
  return await withBuildpacks(context, async ({ registry }) => {
    const list = await registry.list();
    if (context.output.json) for (const buildpack of list) context.output.object(buildpack);
    else for (const line of listing(list)) context.output.line(line);
  });
}

/** Installs one. */
export async function buildpackAdd(context: Context): Promise<number> {
  const [name, source] = words(context);
  return await withBuildpacks(context, async (parts) => {
    const fetched = await fetch(context, source, parts);
    await using _lease = { [Symbol.asyncDispose]: () => fetched.lease.release() };
    const { stack } = stackChoice(context);
    const installed = await parts.registry.add(name, fetched, {
      ...settings(context),
      ...(typeof stack === 'string' && { stack }),
      signal: context.signal,
    });
    told(context, installed, 'Installed');
  });
}

/** Changes one. */
export async function buildpackUpdate(context: Context): Promise<number> {
  const [name, source] = words(context);
  const { rename } = context.flags;
  return await withBuildpacks(context, async (parts) => {
    const fetched = source === '' ? undefined : await fetch(context, source, parts);
    try {
      const installed = await parts.registry.update(name, {
        ...settings(context),
        ...stackChoice(context),
        ...(typeof rename === 'string' && { rename }),
        ...(fetched !== undefined && { fetched }),
        signal: context.signal,
      });
      told(context, installed, 'Updated');
    } finally {
      await fetched?.lease.release();
    }
    await parts.registry.sweep(context.signal);
  });
}

/** Everything known about one. */
export async function buildpackShow(context: Context): Promise<number> {
  const [name] = words(context);
  return await withBuildpacks(context, async ({ registry }) => {
    const found = await registry.show(name, stackChoice(context).stack);
    if (context.output.json) context.output.object(found);
    else
      for (const line of table(Object.entries(found).map(([key, value]) => [key, String(value)])))
        context.output.line(line);
  });
}

/** Removes one. */
export async function buildpackRemove(context: Context): Promise<number> {
  const [name] = words(context);
  return await withBuildpacks(context, async ({ registry }) => {
    const removed = await registry.remove(name, { ...stackChoice(context), signal: context.signal });
    told(context, removed, 'Removed');
  });
}

async function withBuildpacks(
  context: Context,
  work: (parts: ResolveParts) => Promise<void>,
): Promise<number> {
  const stager = await context.stager();
  await work(await stager.buildpacks(context.signal));
  return 0;
}

function words({ args }: Context): readonly [string, string] {
  const [name, source] = args;
  return [typeof name === 'string' ? name : '', typeof source === 'string' ? source : ''];
}

async function fetch(context: Context, source: string, { fetcher }: ResolveParts): Promise<FetchedBuildpack> {
  const digest = context.flags['sha256'];
  const sha256 = typeof digest === 'string' ? parseSha256(digest) : undefined;
  if (digest !== undefined && sha256 === undefined) {
    throw new StagerError('USAGE', '--sha256 takes 64 hex digits', { next: 'See sha256sum FILE.' });
  }
  const reference = parseReference(source, { cwd: process.cwd(), ...(sha256 !== undefined && { sha256 }) });
  if (reference.kind === 'installed') {
    throw new StagerError('USAGE', `${source} does not say where its files are`, {
      next: `Write ./${source} for a directory, or give an archive, URL or git URL.`,
    });
  }
  return await fetcher.fetch(reference, { signal: context.signal });
}

function settings({ flags }: Context): BuildpackSettings {
  const { position, enable, disable, lock, unlock } = flags;
  if (enable === true && disable === true) throw excludes('--enable', '--disable');
  if (lock === true && unlock === true) throw excludes('--lock', '--unlock');
  return {
    ...(position !== undefined && { position: Number(position) }),
    ...((enable ?? disable) === true && { enabled: enable === true }),
    ...((lock ?? unlock) === true && { locked: lock === true }),
  };
}

function excludes(one: string, other: string): StagerError {
  return new StagerError('USAGE', `${one} and ${other} cannot be used together`, {
    next: 'Give one of them.',
  });
}

/**
 * `--stack` picks one of several with the same name; `none` is the one without a stack. STAGER_STACK is for stagings and
 * means nothing here.
 */
function stackChoice({ flags }: Context): { readonly stack?: string | null } {
  const { stack } = flags;
  if (typeof stack !== 'string') return {};
  return { stack: stack === 'none' ? null : stack };
}

function told({ output }: Context, buildpack: InstalledBuildpack, verb: string): void {
  if (output.json) output.object(buildpack);
  else if (!output.quiet) {
    const version = buildpack.version === undefined ? '' : ` ${buildpack.version}`;
    output.line(
      `${verb} ${buildpack.name}${version} at position ${buildpack.position} (sha256 ${buildpack.digest})`,
    );
  }
}

function listing(list: readonly InstalledBuildpack[]): string[] {
  if (list.length === 0) return ['No buildpacks are installed. Add one: stager buildpack add NAME SOURCE'];
  const rows = list.map((it) => [
    String(it.position),
    it.name,
    it.version ?? '',
    it.stack ?? 'any',
    it.enabled ? 'yes' : 'no',
    it.locked ? 'yes' : 'no',
    it.filename,
  ]);
  return table([['position', 'name', 'version', 'stack', 'enabled', 'locked', 'filename'], ...rows]);
}
