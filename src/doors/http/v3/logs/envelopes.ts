/**
 * Lines of builds as log-cache has them. Its clients leave out what is younger than two seconds by their own clock, so
 * that nothing comes in late between what they have read: our lines never do, so here they are that much older.
 */
import type { LogLine } from '../../../../service/builds/log-store.ts';

/** Nanoseconds by which lines are older here than they are. */
const SHIFT = 2_100_000_000n;
const NANOS = 1000n;

/** Microseconds of our lines for a time of a client, in nanoseconds; nothing at or after it is left out. */
export function ourTime(nanos: bigint): number {
  const shifted = nanos + SHIFT;
  if (shifted <= 0n) return 0;
  const whole = (shifted + NANOS - 1n) / NANOS;
  return whole > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(whole);
}

/** Nanoseconds for clients. */
export function clientTime(at: number): string {
  return String(BigInt(at) * NANOS - SHIFT);
}

/** The decoder of clients refuses a field that it does not know. */
export function envelope(app: string, line: LogLine) {
  return {
    timestamp: clientTime(line.at),
    source_id: app,
    instance_id: '0',
    tags: { source_type: 'STG' },
    log: {
      payload: Buffer.from(line.text).toString('base64'),
      type: line.stream === 'stderr' ? ('ERR' as const) : ('OUT' as const),
    },
  };
}
