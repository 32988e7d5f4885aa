/** A log on stderr with one JSON line per entry. */
import pino, { type DestinationStream } from 'pino';
import type { Log } from '../../words/telemetry.ts';

export function openJsonLog(level: 'info' | 'error', to?: DestinationStream): Log {
  const logger = pino(
    { level, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    to ?? pino.destination({ dest: 2, sync: true }),
  );
  return {
    info: (what, facts) => logger.info(facts, what),
    error: (what, facts) => logger.error(facts, what),
  };
}
