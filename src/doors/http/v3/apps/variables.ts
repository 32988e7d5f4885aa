/** An app's own variables: names that belong to the platform are refused, as Cloud Controller refuses them. */
import { refusedVariables } from '../../../../staging/vcap/names.ts';
import { unprocessable } from '../../route/cf-errors.ts';

type Given = Readonly<Record<string, string | null>>;

/** For an update: null takes a variable away. @throws CfError. */
export function demandVariables(given: Given, who = ''): void {
  const kept = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value ?? '']));
  const refused = refusedVariables(kept);
  if (refused.length === 0) return;
  throw unprocessable(
    ...refused.map(
      ({ name, reason }) => `${who}Environment variable ${JSON.stringify(name)} is refused: ${reason}`,
    ),
  );
}

/** For a new app: what is null is not there. @throws CfError. */
export function variablesOf(given: Given): Readonly<Record<string, string>> {
  demandVariables(given);
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])),
  );
}
