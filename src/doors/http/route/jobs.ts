/** Answers that name a job. Only these carry Location: clients poll whatever that header names. */
import type { Guid } from '../../../words/ids.ts';

/** 202 with where to ask how it went. */
export function accepted(base: string, job: Guid) {
  return { status: 202, headers: { location: `${base}/v3/jobs/${job}` } } as const;
}
