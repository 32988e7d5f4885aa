/** Finds variables that name the machine's loopback interface, which a private network does not reach. */

/** An address with a port, as URLs and settings hold it. */
const PLACE = /(?:^|[/@,\s"])(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}):(\d{1,5})\b/g;

/**
 * Pure: one phrase for each variable whose value holds such a place that is not allowed by name. Nothing else of the value is
 * shown, since it may be secret.
 */
export function loopbackNames(
  variables: Readonly<Record<string, string>>,
  allowed: readonly string[],
): readonly string[] {
  return Object.entries(variables).flatMap(([name, value]) => {
    const places = [...value.matchAll(PLACE)].map(([, host = '', port = '']) => `${host}:${port}`);
    const [first] = places.filter((place) => !isAllowed(place, allowed));
    return first === undefined ? [] : [`${name} names ${first} (--allow-host ${first})`];
  });
}

/** `localhost` and 127.0.0.1 are one interface. */
function isAllowed(place: string, allowed: readonly string[]): boolean {
  const port = place.slice(place.lastIndexOf(':'));
  return allowed.some((it) => /^(localhost|127\.)/.test(it) && it.endsWith(port));
}
