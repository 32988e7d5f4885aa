/** How what was installed compares with what the buildpack knows: newer versions, and when its line ends. */
import { compare, valid } from 'semver';
import type { Installed } from './dependencies.ts';
import type { Log } from './log.ts';
import { type Fit, type Manifest, versionsOf } from './manifest.ts';
import { highestMatch } from './versions.ts';

/** Half a year: long enough to plan a move to another line. */
const SOON_DAYS = 180;

/** Of one dependency. It says nothing that is another thing tomorrow, so that equal stagings stay equal. */
export interface Freshness {
  /** Of the same line (`22.x`), where there is a newer one. */
  readonly newestOfLine?: string;
  /** Of all lines, where there is a newer one. */
  readonly newest?: string;
  readonly line?: string;
  /** Day on which the support of its line ends or ended. */
  readonly endOfLife?: string;
}

/** What there is to say of one; only of what people choose versions of. */
export function freshnessOf(
  manifest: Manifest,
  { name, version }: Pick<Installed, 'name' | 'version'>,
  fit: Fit,
): Freshness {
  const lines = manifest.dependency_deprecation_dates.filter((it) => it.name === name);
  if (lines.length === 0 && !manifest.default_versions.some((it) => it.name === name)) return {};
  const own = lines.find((it) => highestMatch(it.version_line, [version]) !== undefined);
  const line = own?.version_line ?? `${version.split('.')[0]}.x`;
  const known = versionsOf(manifest, name, fit);
  const newestOfLine = highestMatch(line, known);
  const newest = known[0];
  return {
    line,
    ...(isNewer(newestOfLine, version) && { newestOfLine }),
    ...(isNewer(newest, version) && { newest }),
    ...(own !== undefined && { endOfLife: new Date(own.date).toISOString().slice(0, 10) }),
  };
}

function isNewer(other: string | undefined, version: string): other is string {
  return (
    other !== undefined && valid(other) !== null && valid(version) !== null && compare(other, version) > 0
  );
}

/** A line for each that is behind, or whose line ends soon. */
export function tellFreshness(
  log: Log,
  all: readonly (Pick<Installed, 'name' | 'version'> & Freshness)[],
  now: Date,
): void {
  for (const { name, version, line, newestOfLine, newest, endOfLife } of all) {
    const days = endOfLife === undefined ? undefined : (Date.parse(endOfLife) - now.getTime()) / 86_400_000;
    const ends = days !== undefined && days <= SOON_DAYS;
    const parts = [
      newestOfLine !== undefined && `${newestOfLine} is newer`,
      ends && `${line} ${days < 0 ? 'ended' : 'ends'} on ${endOfLife}`,
      newest !== undefined &&
        (ends || newestOfLine !== undefined) &&
        newest !== newestOfLine &&
        `the newest is ${newest}`,
    ].filter(Boolean);
    if (parts.length > 0) log.info(`${name} ${version}: ${parts.join(', ')}`);
  }
}
