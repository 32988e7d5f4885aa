/** Credentials for modules in private repositories, by the variables that Heroku's users know. */

/**
 * `GO_GIT_CRED__HTTPS__GIT__EXAMPLE__COM=user:token` as settings for git, which reads them from its environment: they are
 * written nowhere.
 */
export function gitCredentials(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const rules: [key: string, value: string][] = [];
  for (const [name, value] of Object.entries(env)) {
    const [, protocol, host] = /^GO_GIT_CRED__(HTTPS?)__(\w+)$/.exec(name) ?? [];
    if (protocol === undefined || host === undefined || value === undefined || value === '') continue;
    const scheme = protocol.toLowerCase();
    const server = host.toLowerCase().replaceAll('__', '.');
    const [user = '', ...rest] = value.split(':');
    const login = [user, rest.join(':')].filter(Boolean).map(encodeURIComponent).join(':');
    rules.push([`url.${scheme}://${login}@${server}/.insteadOf`, `${scheme}://${server}/`]);
  }
  if (rules.length === 0) return {};
  const before = Number(env['GIT_CONFIG_COUNT'] ?? 0);
  const settings = rules.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${before + index}`, key],
    [`GIT_CONFIG_VALUE_${before + index}`, value],
  ]);
  return { ...Object.fromEntries(settings), GIT_CONFIG_COUNT: `${before + rules.length}` };
}
