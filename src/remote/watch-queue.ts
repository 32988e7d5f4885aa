/** What a build that waits for a worker is told about its place, while it is followed. */
import { z } from 'zod';
import { pause } from '../words/retry.ts';
import { ask, type RemoteParts } from './http.ts';

/** Milliseconds between looks: short at first, since most builds wait for moments only. */
const [FIRST_MS, LONGEST_MS] = [1000, 30_000];

export interface QueueState {
  readonly position: number;
  readonly expectedWaitMs?: number;
  readonly reason: string;
}

const Waiting = z.object({
  queue: z
    .object({ position: z.number(), expected_wait_in_seconds: z.number().nullable(), reason: z.string() })
    .optional(),
});

/** Tells the place of the build at `url` whenever it is another one, until the signal is aborted. Never throws. */
export async function watchQueue(
  parts: RemoteParts,
  url: string,
  tell: (place: QueueState) => void,
  firstMs = FIRST_MS,
): Promise<void> {
  const { signal } = parts;
  let said = '';
  for (let ms = firstMs; ; ms = Math.min(2 * ms, LONGEST_MS)) {
    await pause(ms, { signal });
    if (signal.aborted) return;
    // Who follows the build finds out what is wrong with the server.
    const build = await ask(parts, { method: 'GET', url }, Waiting).catch(() => undefined);
    if (signal.aborted) return;
    const queue = build?.queue;
    const text = queue === undefined ? '' : `${queue.position} ${queue.reason}`;
    if (queue === undefined || text === said) continue;
    said = text;
    const { position, expected_wait_in_seconds: seconds, reason } = queue;
    tell({ position, reason, ...(seconds !== null && { expectedWaitMs: seconds * 1000 }) });
  }
}
