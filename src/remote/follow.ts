/** Follows the events of a build on a server from the first to the last, over as many connections as that takes. */

import { createInterface } from 'node:readline';
import { cancelled, StagerError, throwIfCancelled } from '../words/errors.ts';
import type { BuildEvent } from '../words/events.ts';
import { parseJson } from '../words/json.ts';
import { pause } from '../words/retry.ts';
import { buildEventSchema } from './event-schema.ts';
import type { RemoteParts } from './http.ts';
import { openStream } from './open-stream.ts';

/** Milliseconds between connections, and how often in a row none brings anything before it is given up. */
const [PAUSE_MS, TRIES] = [1000, 60];

/** Gives every event once, in order. @throws StagerError SERVER_UNAVAILABLE, NOT_SIGNED_IN, CANCELLED. */
export async function* follow(parts: RemoteParts, url: string): AsyncGenerator<BuildEvent> {
  let after = '0';
  for (let failures = 0; ; ) {
    try {
      for await (const { id, name, data } of eventsOf(parts, url, after)) {
        failures = 0;
        if (id !== undefined) after = id;
        if (name === 'end') return;
        const event = buildEventSchema.safeParse(parseJson(data));
        // What a newer server tells beside these is not for us.
        if (event.success) yield event.data;
      }
    } catch (error) {
      if (parts.signal.aborted) throw cancelled(parts.signal);
      if (error instanceof StagerError && error.code === 'NOT_SIGNED_IN') throw error;
      failures += 1;
      if (failures >= TRIES) throw error;
    }
    await pause(PAUSE_MS, { signal: parts.signal });
    throwIfCancelled(parts.signal);
  }
}

interface ServerSentEvent {
  readonly id: string | undefined;
  readonly name: string;
  readonly data: string;
}

/** One connection. It may end in the middle of a build. */
async function* eventsOf(parts: RemoteParts, url: string, after: string): AsyncGenerator<ServerSentEvent> {
  const headers = { accept: 'text/event-stream', 'last-event-id': after };
  const body = await openStream(parts, { url, headers, what: 'what the build tells' });
  let [id, name, data]: [string | undefined, string, string] = [undefined, '', ''];
  for await (const line of createInterface({ input: body, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === '') {
      if (name !== '') yield { id, name, data };
      [id, name, data] = [undefined, '', ''];
    } else if (line.startsWith('id: ')) id = line.slice('id: '.length);
    else if (line.startsWith('event: ')) name = line.slice('event: '.length);
    else if (line.startsWith('data: ')) data = line.slice('data: '.length);
  }
}
