/** Choosing a version (buildpack-contracts.md 3.5): ranges as authors write them, the highest match wins. */
import { maxSatisfying, rcompare, valid, validRange } from 'semver';

/**
 * The highest of `versions` that `range` allows, or undefined.
 *
 * Takes what both of Cloud Foundry's range grammars take: `1.x`, `~1.2`, `^1.2.3`, `>=1.2.0 <2.0.0`,
 * `>= 1.2, < 2`, `v1.2.3`. Pre-releases only match when the range names one. An empty range, `*` and `latest`
 * match anything.
 */
export function highestMatch(range: string, versions: readonly string[]): string | undefined {
  const clean = normaliseRange(range);
  if (clean === undefined) return undefined;
  return maxSatisfying([...versions], clean) ?? undefined;
}

/** `range` as node-semver reads it, or undefined when it is not a range at all. */
export function normaliseRange(range: string): string | undefined {
  const text = range.trim();
  if (text === '' || text === 'latest') return '*';
  const spaced = text.replace(/\s*,\s*/g, ' ').replace(/^v(?=\d)/, '');
  return validRange(spaced) === null ? undefined : spaced;
}

/** Highest first; what is not a version comes last, in its own order. */
export function newestFirst(versions: readonly string[]): string[] {
  const good = versions.filter((version) => valid(version) !== null);
  const odd = versions.filter((version) => valid(version) === null);
  return [...good.sort(rcompare), ...odd];
}
