/** Which installed version of a framework an app runs on: the rules of .NET's own host, used before it is installed. */
import { compare, major, minor, prerelease, valid } from 'semver';
import { BuildpackFailure } from '../../kit/index.ts';

const POLICIES = ['Disable', 'LatestPatch', 'Minor', 'Major', 'LatestMinor', 'LatestMajor'] as const;

/** How far from the version that an app names. */
export type Policy = (typeof POLICIES)[number];

/** What says so in runtimeconfig.json; the two last are of .NET Core 2. */
export interface PolicySettings {
  readonly rollForward?: string | undefined;
  readonly rollForwardOnNoCandidateFx?: number | undefined;
  readonly applyPatches?: boolean | undefined;
}

/** The file wins over DOTNET_ROLL_FORWARD, as for the host; `Minor` where nothing says anything. */
export function policyOf(
  settings: PolicySettings,
  env: Readonly<Record<string, string | undefined>>,
  file: string,
): Policy {
  const { rollForward, rollForwardOnNoCandidateFx: older } = settings;
  if (rollForward !== undefined) return named(rollForward, `rollForward in ${file}`);
  if (settings.applyPatches === false) return 'Disable';
  if (older !== undefined) return (['LatestPatch', 'Minor', 'Major'] as const)[older] ?? 'Minor';
  const variable = env['DOTNET_ROLL_FORWARD'] ?? '';
  return variable === '' ? 'Minor' : named(variable, 'DOTNET_ROLL_FORWARD');
}

function named(text: string, source: string): Policy {
  const found = POLICIES.find((policy) => policy.toLowerCase() === text.trim().toLowerCase());
  if (found !== undefined) return found;
  throw new BuildpackFailure(`${source} is "${text}", which .NET does not know`, {
    next: `Use one of ${POLICIES.join(', ')}.`,
  });
}

/** The version to run on, or undefined when none of `versions` will do. */
export function rollForward(
  { version, policy }: { readonly version: string; readonly policy: Policy },
  versions: readonly string[],
): string | undefined {
  if (valid(version) === null) return undefined;
  if (policy === 'Disable') return versions.find((it) => it === version);
  const previews = prerelease(version) !== null;
  const enough = versions
    .filter((it) => valid(it) !== null && compare(it, version) >= 0 && (previews || prerelease(it) === null))
    .sort(compare);
  const sameMajor = enough.filter((it) => major(it) === major(version));
  const sameMinor = sameMajor.filter((it) => minor(it) === minor(version));
  if (policy === 'LatestPatch') return sameMinor.at(-1);
  if (policy === 'LatestMinor') return sameMajor.at(-1);
  if (policy === 'LatestMajor') return enough.at(-1);
  const nearest = sameMajor[0] ?? (policy === 'Major' ? enough[0] : undefined);
  if (nearest === undefined) return undefined;
  return enough.filter((it) => major(it) === major(nearest) && minor(it) === minor(nearest)).at(-1);
}
