/**
 * stager.lock: the exact bytes of each buildpack of an order, so that the next staging uses the same ones or fails.
 * YAML (JSON is read as well), documented in docs/buildpacks.md.
 */
import { readFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { z } from 'zod';
import { errnoOf, StagerError } from '../errors.ts';
import { replaceFile } from '../host/replace-file.ts';
import { parseSha256, type Sha256 } from '../ids.ts';
import { readYaml } from './yaml.ts';

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
const lockSchema = z.object({
  version: z.literal(1),
  stack: z.string(),
  /** True when the order was found by detect and not given. */
  detected: z.boolean().default(false),
  buildpacks: z.array(entrySchema).min(1),
});

/** One buildpack of a lock file. */
export type LockEntry = z.infer<typeof entrySchema>;
/** A whole lock file. */
export type BuildpackLock = z.infer<typeof lockSchema>;

/**
 * Reads a lock file.
 *
 * @throws StagerError CONFIG_INVALID when it is absent or broken.
 */
export async function readLock(path: string): Promise<BuildpackLock> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new StagerError('CONFIG_INVALID', `${path} can't be read (${errnoOf(cause) ?? 'unknown error'})`, {
      next: 'make it once with --lock, and keep it with the app',
      details: { path },
      cause,
    });
  });
  const yaml = readYaml(text);
  const parsed = lockSchema.safeParse(yaml.ok ? yaml.value : undefined);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const reason = yaml.ok ? `${issue?.path.join('.') || 'document'}: ${issue?.message ?? ''}` : yaml.reason;
  throw new StagerError('CONFIG_INVALID', `${path} is no lock file: ${reason}`, {
    next: 'make it again with --lock',
    details: { path, reason },
  });
}

/** Replaces the lock file. */
export async function writeLock(path: string, lock: BuildpackLock): Promise<void> {
  const document = {
    ...lock,
    buildpacks: lock.buildpacks.map((it) => ({ ...it, digest: `sha256:${it.digest}` })),
  };
  const note = '# The exact buildpacks of this app. Made by stager stage --lock, used with --frozen.\n';
  await replaceFile(path, note + stringify(document), { durable: true });
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
      next: 'accept the new one by staging with --lock, or bring the old one back',
      details: {
        buildpack: entry.buildpack,
        locked: entry.digest,
        ...(now.digest !== undefined && { actual: now.digest }),
      },
    },
  );
}
