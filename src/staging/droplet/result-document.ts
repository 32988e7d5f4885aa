/** What `--result` writes. */
import type { BuildEvent } from '../../words/events.ts';

/** The last event of a staging. */
export type StagingEnded = Extract<BuildEvent, { type: 'staging-ended' }>;

/** result.json with our own record, or the failure, under a key that Cloud Foundry does not read. */
export function resultDocument(event: StagingEnded): unknown {
  if (event.outcome !== 'staged')
    return { ...event.result, stager: { outcome: event.outcome, error: event.error } };
  const { result, ...record } = event.record;
  return { ...result, stager: { outcome: event.outcome, ...record } };
}
