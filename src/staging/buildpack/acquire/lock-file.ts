/**
 * stager.lock: the exact bytes of each buildpack of an order, so that the next staging uses the same ones or fails.
 * One order for an app that was staged alone, and one for each app of a manifest. YAML (JSON is read as well),
 * documented in docs/buildpacks.md.
 */
import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { replaceFile } from '../../../machine/host/replace-file.ts';
import { callersMode } from '../../../machine/host/umask.ts';
import { errnoOf, StagerError } from '../../../words/errors.ts';
import { parseSha256, type Sha256 } from '../../../words/ids.ts';
import { readYaml } from '../contract/yaml.ts';

const entrySchema = z.object({
  /** The reference as it was given, without credentials. */
  buildpack: z.string(),
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits')
    .transform((text, context): Sha256 => {
      const digest = parseSha256(text.slice('sha256:'.length));
      if (digest !== undefined) return digest;
      context.addIssue('not a sha256');
      return z.NEVER;
    }),
  version: z.string().optional(),
  source: z.object({
    kind: z.enum(['directory', 'file', 'url', 'git', 'installed']),
    commit: z.string().optional(),
    archive_sha256: z.string().optional(),
  }),
});
const orderSchema = z.object({
  stack: z.string(),
  /** True when the order was found by detect and not given. */
  detected: z.boolean().default(false),
  buildpacks: z.array(entrySchema).min(1),
});
const fileSchema = z.object({
  version: z.literal(1),
  ...orderSchema.partial().shape,
  apps: z.record(z.string(), orderSchema).default({}),
});

/** One buildpack of a lock file. */
export type LockEntry = z.infer<typeof entrySchema>;
/** One order of a lock file. */
export type BuildpackLock = z.infer<typeof orderSchema>;

/** Which order of which file. */
export interface LockPlace {
  readonly path: string;
  /** Name of the app, when it is one of a manifest. */
  readonly app?: string;
}

/** The orders of a file; undefined is the name of an app that was staged without a manifest. */
type Orders = ReadonlyMap<string | undefined, BuildpackLock>;

/**
 * Reads an order. Paths of directories are absolute in it, and relative to the file where they are written.
 *
 * @throws StagerError CONFIG_INVALID when the file is absent or broken, or has no order for the app.
 */
export async function readLock({ path, app }: LockPlace): Promise<BuildpackLock> {
  const orders = await readOrders(path);
  if (orders === undefined) {
    throw unusable(path, 'is not there', { next: 'Create it once with --lock, and keep it with the app.' });
  }
  const order = orders.get(app);
  if (order !== undefined) return order;
  const asked = app === undefined ? 'an app without a manifest' : `application ${app}`;
  const has = [...orders.keys()].map((name) => name ?? 'an app without a manifest').join(', ');
  throw unusable(path, `has nothing for ${asked}, only for ${has}`, { next: 'Stage it once with --lock.' });
}

/**
 * Fails early for what {@link writeLock} would fail on late.
 *
 * @throws StagerError CONFIG_INVALID when there is something that is not a lock file.
 */
export async function checkLock({ path }: LockPlace): Promise<void> {
  await readOrders(path);
}

/**
 * Replaces an order; those of other apps stay.
 *
 * @throws StagerError CONFIG_INVALID when what is there is not a lock file, or the new one can't be written.
 */
export async function writeLock({ path, app }: LockPlace, lock: BuildpackLock): Promise<void> {
  const orders = new Map(await readOrders(path)).set(app, lock);
  const alone = orders.get(undefined);
  const apps = [...orders].flatMap(([name, order]) =>
    name === undefined ? [] : [[name, written(order, path)] as const],
  );
  const file = {
    version: 1,
    ...(alone !== undefined && written(alone, path)),
    ...(apps.length > 0 && { apps: Object.fromEntries(apps) }),
  };
  const note = '# The exact buildpacks of this app. Made by stager stage --lock, used with --frozen.\n';
  try {
    await replaceFile(path, note + stringify(file), { mode: callersMode(0o666), durable: true });
  } catch (cause) {
    const next = 'stage in a writable directory, or without --lock';
    throw unusable(path, `can't be written (${errnoOf(cause) ?? 'unknown error'})`, { next, cause });
  }
}

async function readOrders(path: string): Promise<Orders | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    const next = 'make it readable, or stage in another directory';
    throw unusable(path, `can't be read (${errnoOf(cause) ?? 'unknown error'})`, { next, cause });
  }
  const yaml = readYaml(text);
  const parsed = fileSchema.safeParse(yaml.ok ? yaml.value : undefined);
  const next = 'remove it, and create it again with --lock';
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const reason = yaml.ok ? `${issue?.path.join('.') || 'document'}: ${issue?.message ?? ''}` : yaml.reason;
    throw unusable(path, `is not a lock file: ${reason}`, { next });
  }
  const { stack, detected = false, buildpacks, apps } = parsed.data;
  const orders = new Map<string | undefined, BuildpackLock>(Object.entries(apps));
  if (stack !== undefined && buildpacks !== undefined) orders.set(undefined, { stack, detected, buildpacks });
  if (orders.size === 0) throw unusable(path, 'is not a lock file: it names no buildpacks', { next });
  for (const [app, order] of orders)
    orders.set(
      app,
      withPaths(order, (it) => resolve(dirname(path), it)),
    );
  return orders;
}

/** As it is written: paths relative to the file, so that it can be kept with an app that is checked out elsewhere. */
function written(lock: BuildpackLock, path: string): object {
  const order = withPaths(lock, (it) => {
    const inside = relative(dirname(path), it);
    return /^\.\.?(\/|$)/.test(inside) ? inside : `./${inside}`;
  });
  return {
    ...order,
    buildpacks: order.buildpacks.map((it) => ({ ...it, digest: `sha256:${it.digest}` })),
  };
}

function withPaths(lock: BuildpackLock, change: (path: string) => string): BuildpackLock {
  const buildpacks = lock.buildpacks.map((it) =>
    it.source.kind === 'directory' ? { ...it, buildpack: change(it.buildpack) } : it,
  );
  return { ...lock, buildpacks };
}

function unusable(
  path: string,
  what: string,
  why: { readonly next: string; readonly cause?: unknown },
): StagerError {
  return new StagerError('CONFIG_INVALID', `${path} ${what}`, { ...why, details: { path } });
}

/** BUILDPACK_MOVED: what was locked and what there is now. */
export function moved(
  entry: LockEntry,
  now: { readonly digest?: Sha256; readonly what: string },
): StagerError {
  return new StagerError(
    'BUILDPACK_MOVED',
    `buildpack ${entry.buildpack} is not what stager.lock says: ${now.what}; locked: ${entry.version ?? 'no version'}, sha256 ${entry.digest}`,
    {
      next: 'Accept the new one by staging with --lock, or bring the old one back.',
      details: {
        buildpack: entry.buildpack,
        locked: entry.digest,
        ...(now.digest !== undefined && { actual: now.digest }),
      },
    },
  );
}
