/** Failures of the SDK as failures that a person can act on: bucket, key, endpoint, and what to do. */

import { StagerError } from '../../../words/errors.ts';
import { GaveUp } from '../../../words/retry.ts';
import { failureOf, retryAfterMs } from './errors.ts';
import { type S3Place, verdictOn } from './verdicts.ts';

/** The StagerError for a failure that came while `doing` something: what, where, what came back, and how often. */
export function s3Error(thrown: unknown, doing: string, place: S3Place): unknown {
  const error = thrown instanceof GaveUp ? thrown.cause : thrown;
  if (error instanceof StagerError || !(error instanceof Error)) return error;
  const failure = failureOf(error);
  if (failure.name === 'Error' && failure.status === 0 && failure.errno === '') return error;
  const [code, why, next] = verdictOn({ ...failure, place, text: error.message });
  const key = place.key === '' ? '' : `, key ${place.key}`;
  const attempts = thrown instanceof GaveUp ? thrown.attempts : 1;
  const at = `bucket ${place.bucket}${key} at ${place.endpoint}; ${triesOf(thrown, error)}`;
  return new StagerError(code, `${doing} failed: ${why} (${at})`, {
    next,
    details: { ...place, attempts, error: failure.name, status: failure.status, errno: failure.errno },
    cause: error,
  });
}

function triesOf(thrown: unknown, error: Error): string {
  if (!(thrown instanceof GaveUp)) return 'tried once';
  const tried = thrown.attempts === 1 ? 'tried once' : `tried ${thrown.attempts} times`;
  if (thrown.deadlineMs === undefined) return tried;
  const asked = retryAfterMs(error);
  const wait = asked === undefined ? '' : `, and the store asks for a pause of ${asked / 1000} s`;
  return `${tried}; the deadline of ${thrown.deadlineMs / 1000} s for one request passed${wait}`;
}
