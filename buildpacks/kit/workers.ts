/** How many workers fit into a container, told while staging: the rule itself is in the start script. */
import type { Log } from './log.ts';

const SIZES_MB = [256, 512, 1024, 2048];

/** One line: `gunicorn workers at 256 MB each: 256M: 1, 512M: 2, …`. */
export function tellWorkers(
  log: Log,
  what: string,
  { eachMb, at }: { readonly eachMb: number; readonly at: string },
): void {
  if (!(eachMb > 0)) return;
  const rows = SIZES_MB.map((size) =>
    size < eachMb ? `${size}M: too small` : `${size}M: ${Math.floor(size / eachMb)}`,
  );
  log.info(`${what} at ${at}: ${rows.join(', ')} (WEB_CONCURRENCY sets another number)`);
}
