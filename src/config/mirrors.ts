/** The variables that tell package managers which registry to use, as an operator sets them for the whole machine. */

/** Lower case; tools read upper case as well. */
const VARIABLES = [
  'npm_config_registry',
  'yarn_registry',
  'yarn_npm_registry_server',
  'pip_index_url',
  'pip_extra_index_url',
  'uv_default_index',
  'uv_index_url',
  'goproxy',
] as const;

/** Whether it is one of them. */
export const isMirrorVariable = (name: string): boolean =>
  VARIABLES.some((known) => known === name.toLowerCase());

/** Their values, as they are: addresses, some of them in lists. */
export function mirrorSettings(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return Object.entries(env).flatMap(([name, value]) => (isMirrorVariable(name) && value ? [value] : []));
}
