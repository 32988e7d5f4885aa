/** Where the two programs are, the original's and ours. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A builder and a launcher. */
export interface Programs {
  readonly builder: string;
  readonly launcher: string;
}

/** Ours. */
export const OURS: Programs = {
  builder: fileURLToPath(new URL('../../../bin/builder', import.meta.url)),
  launcher: fileURLToPath(new URL('../../../bin/launcher', import.meta.url)),
};

/** Names the directory with the original's `builder` and `launcher`. */
export const VARIABLE = 'STAGER_ORIGINAL_LIFECYCLE';

/** The original's programs, or why the comparison can't be run. */
export function originalPrograms(
  env: Readonly<Record<string, string | undefined>>,
): Programs | { readonly missing: string } {
  const dir = env[VARIABLE];
  if (dir === undefined || dir === '') {
    return { missing: `${VARIABLE} is not set to a directory with the original's builder and launcher` };
  }
  const programs = { builder: join(dir, 'builder'), launcher: join(dir, 'launcher') };
  for (const path of Object.values(programs)) {
    try {
      accessSync(path, constants.X_OK);
    } catch {
      return { missing: `${VARIABLE}=${dir}, but ${path} can't be run` };
    }
  }
  return programs;
}
