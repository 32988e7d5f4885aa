/** Sizes and times as people write them. */

/** Bytes in a MiB, which Cloud Foundry writes as MB. */
export const MEBIBYTE = 1024 * 1024;

/** MiB in a unit's first letter. */
const MEGABYTES: ReadonlyMap<string, number> = new Map([
  ['B', 1 / MEBIBYTE],
  ['K', 1 / 1024],
  ['M', 1],
  ['G', 1024],
  ['T', MEBIBYTE],
]);

/**
 * Whole MiB in `text` (`512M`, `512MB`, `524288K`, `1.5G`, `1TiB`; a unit is required, as cf requires it), undefined for
 * what is not a size, less than one, or more than 8 PiB.
 */
export function parseMegabytes(text: string): number | undefined {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*(B|[KMGT](?:I?B)?)$/i.exec(text.trim()) ?? [];
  const factor = MEGABYTES.get(unit.charAt(0).toUpperCase()) ?? 0;
  const megabytes = Math.floor(Number(amount) * factor);
  return megabytes > 0 && Number.isSafeInteger(megabytes * MEBIBYTE) ? megabytes : undefined;
}

/** Milliseconds in `text` (`500ms`, `90s`, `15m`, `1h`, `1h30m`), or undefined. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(trimmed)) return undefined;
  const factors: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(amount) * (factors[unit ?? 's'] ?? 0);
  }
  return total > 0 ? Math.round(total) : undefined;
}

/** `1.4 GiB`, `31 MiB`, `12 KiB`, `7 B`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && value < 10 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit] ?? 'B'}`;
}

/** What is left of a disk: `less than 34 MiB`, or `hardly anything` where the figure would say nothing. */
export function formatRest(bytes: number): string {
  return bytes < 1024 ** 2 ? 'hardly anything' : `less than ${formatBytes(bytes)}`;
}

/** `1 file`, `12,000 files`. */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  // toLocaleString() loads tables of languages first: 4 ms.
  const digits = String(count).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${digits} ${count === 1 ? one : many}`;
}

/** `1m 04s`, `12.3s`, `87ms`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  if (durationMs < 60_000) return `${(durationMs / 1000).toFixed(1)}s`;
  const seconds = Math.round(durationMs / 1000);
  return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`;
}

/**
 * A time in seconds as it is handed to utimes(2) and its kin. Node takes the present for a number before 1970, which is
 * another time in every staging; a Date it takes as it is.
 */
export function fileTime(seconds: number): number | Date {
  return seconds < 0 ? new Date(seconds * 1000) : seconds;
}
