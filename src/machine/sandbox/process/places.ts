/** Directories that the user who runs scripts can reach: root's own home is usually private. */
import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { firstSearchable } from '../child/state-directory.ts';

/** For a root caller whose data home is below a private directory. */
const SYSTEM_HOME = '/var/lib/stager';

/** `path`, a directory of the data home, or one of the system's that everybody may pass through to; made if need be. */
export async function reachablePlace(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  if (process.getuid?.() !== 0) return path;
  if ((await firstSearchable([dirname(path)])) !== undefined) return await opened(path);
  await mkdir(SYSTEM_HOME, { recursive: true });
  await chmod(SYSTEM_HOME, 0o711);
  const place = join(SYSTEM_HOME, path.slice(path.lastIndexOf('/') + 1));
  await mkdir(place, { recursive: true });
  return await opened(place);
}

async function opened(path: string): Promise<string> {
  await chmod(path, 0o711);
  return path;
}
