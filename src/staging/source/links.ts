/**
 * Does a symbolic link stay inside the app?
 *
 * Answered on names alone, the way the kernel will resolve them in the workspace: segment by segment, through
 * other links of the app, so that `a → sub/..` and then `b → a/../x` can't add up to a way out. A loop, or more
 * than 40 links in a row, is refused by the kernel itself and leads nowhere.
 */

/** Links the kernel follows in one look-up. */
const MAX_HOPS = 40;
/** The app's own places inside the sandbox and in a running container (buildpack-contracts.md 6.1 #13). */
const APP_ROOTS = ['/app', '/home/vcap/app'] as const;
const HOME = '/home/vcap';

/**
 * @param path the link's own path; its parents are directories.
 * @param links all links of the app: path → target.
 * @returns why the link leaves the app, or undefined when it stays.
 */
export function leavesApp(
  path: string,
  target: string,
  links: ReadonlyMap<string, string>,
): string | undefined {
  if (target === '') return 'has an empty target';
  if (target.includes('\0')) return 'has a NUL in its target';
  const out = `leads out of the app (target ${target})`;
  let at = path.split('/').slice(0, -1);
  /** Segments still to go, the next one last. */
  const ahead: string[] = [];
  let next: string | undefined = target;
  for (let hops = 0; hops < MAX_HOPS; hops += 1) {
    const place: Place = placeOf(next);
    if (place.root === 'elsewhere') return `has an absolute target outside the app (${next})`;
    ahead.push(...place.rest.split('/').toReversed());
    if (place.root === 'home') return ahead.includes('..') ? out : undefined;
    if (place.root === 'app') at = [];
    next = undefined;
    while (next === undefined) {
      const segment = ahead.pop();
      if (segment === undefined) return undefined;
      if (segment === '' || segment === '.') continue;
      if (segment === '..') {
        if (at.pop() === undefined) return out;
        continue;
      }
      next = links.get(at.length === 0 ? segment : `${at.join('/')}/${segment}`);
      if (next === undefined) at.push(segment);
    }
  }
  return undefined;
}

interface Place {
  readonly root: 'relative' | 'app' | 'home' | 'elsewhere';
  readonly rest: string;
}

function placeOf(target: string): Place {
  if (!target.startsWith('/')) return { root: 'relative', rest: target };
  const clean = target.replace(/\/(?:\.?\/)+/g, '/');
  for (const root of APP_ROOTS) {
    if (clean === root || clean.startsWith(`${root}/`))
      return { root: 'app', rest: clean.slice(root.length) };
  }
  if (clean === HOME || clean.startsWith(`${HOME}/`)) return { root: 'home', rest: clean.slice(HOME.length) };
  return { root: 'elsewhere', rest: clean };
}
