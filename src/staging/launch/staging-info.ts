/** Reads `staging_info.yml` of a droplet that may come from anywhere (buildpack-contracts.md 1.12). */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseHostileYaml } from '../../machine/host/hostile-yaml.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';

/** What the launcher needs to know of a droplet; both may be absent. */
export interface LaunchInfo {
  /** Command of the web process. */
  readonly startCommand?: string;
  /** What runs the command instead of `bash -c`. */
  readonly entrypointPrefix?: string;
}

/** Far more than the original writes. */
const MAX_BYTES = 1024 * 1024;

const schema = z
  .looseObject({
    start_command: z.string().nullish(),
    config: z.looseObject({ entrypoint_prefix: z.string().nullish() }).nullish(),
  })
  .nullish();

/**
 * The launch info of the droplet at `dropletRoot`; empty when the file is missing.
 *
 * Unknown keys, whatever their YAML tags, are ignored.
 *
 * @throws StagerError DROPLET_INVALID when the file is not a plain file, too large or not such YAML.
 */
export async function readLaunchInfo(dropletRoot: string): Promise<LaunchInfo> {
  const text = await readPlainFile(join(dropletRoot, 'staging_info.yml'));
  return text === undefined ? {} : parseLaunchInfo(text);
}

/** {@link readLaunchInfo} of the file's text. */
export function parseLaunchInfo(text: string): LaunchInfo {
  const parsed = schema.safeParse(parseYaml(text));
  if (!parsed.success) {
    throw invalid(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
  }
  const startCommand = parsed.data?.start_command ?? '';
  const entrypointPrefix = parsed.data?.config?.entrypoint_prefix ?? '';
  return {
    ...(startCommand === '' ? {} : { startCommand }),
    ...(entrypointPrefix === '' ? {} : { entrypointPrefix }),
  };
}

/** Unknown tags are only warnings. */
function parseYaml(text: string): unknown {
  const parsed = parseHostileYaml(text);
  if (!parsed.ok) throw invalid(parsed.reason);
  return parsed.value;
}

/** A link in a droplet could name any file of the host, so none is followed. */
async function readPlainFile(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const facts = await file.stat();
    if (!facts.isFile()) throw invalid('is not a plain file');
    if (facts.size > MAX_BYTES) throw invalid(`${facts.size} bytes, the limit is ${MAX_BYTES}`);
    return await file.readFile('utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) === 'ELOOP') throw invalid('is a link');
    throw error;
  }
}

function invalid(reason: string): StagerError {
  return new StagerError('DROPLET_INVALID', `staging_info.yml of the droplet: ${reason}`, {
    next: 'Stage the app again, or give a start command after --.',
    details: { file: 'staging_info.yml', reason },
  });
}
