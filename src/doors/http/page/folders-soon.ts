/** The folders of a droplet, when they are known within a moment; a large one is read while the browser looks again. */
import { setTimeout } from 'node:timers/promises';
import type { Droplet } from '../../../service/resources/droplets.ts';
import type { Folder } from '../../../service/state/schema-page.ts';
import { isStagerError } from '../../../words/errors.ts';
import type { HttpService } from '../route/service.ts';

/** Milliseconds that a page waits. */
const SOON_MS = 3000;

export type Measured =
  | { readonly kind: 'known'; readonly root: Folder }
  | { readonly kind: 'later' }
  | { readonly kind: 'failed'; readonly why: string };

export async function foldersSoon({ staging }: HttpService, droplet: Droplet): Promise<Measured> {
  const stop = new AbortController();
  const known = staging.folders
    .of(droplet)
    .then((root): Measured => ({ kind: 'known', root }))
    .catch((error: unknown): Measured => {
      if (isStagerError(error)) return { kind: 'failed', why: error.message };
      throw error;
    });
  // Heard where it is awaited first; whoever looks again asks again.
  known.catch(() => undefined);
  const later = setTimeout(SOON_MS, { kind: 'later' } as const, { signal: stop.signal }).catch(
    (): Measured => ({ kind: 'later' }),
  );
  return await Promise.race([known, later]).finally(() => stop.abort());
}
