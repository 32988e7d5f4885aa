/**
 * Paths where nothing can be mounted.
 *
 * Paths inside do not exist on the host, so the target of every mount is replaced by its source wherever it stands
 * as a path in arguments, environment and working directory; links likewise. A script that has `/tmp/app` written
 * in its own text will not find it: that is one of the things that are given up (docs/sandbox.md).
 */
import type { SandboxSpec } from '../port/sandbox.ts';

/** The spec with the host's paths instead of those inside. */
export function onHost(spec: SandboxSpec): SandboxSpec {
  const map = hostPaths(spec);
  const [program, ...args] = spec.argv;
  return {
    ...spec,
    argv: [map(program), ...args.map(map)],
    env: Object.fromEntries(Object.entries(spec.env).map(([name, value]) => [name, map(value)])),
    cwd: map(spec.cwd),
  };
}

function hostPaths(spec: SandboxSpec): (text: string) => string {
  const mounts = spec.mounts.map(({ source, target }) => [target, source] as const);
  const byLength = [...mounts].sort(([a], [b]) => b.length - a.length);
  const sourceOf = (path: string): string => {
    const found = byLength.find(([target]) => path === target || path.startsWith(`${target}/`));
    return found === undefined ? path : found[1] + path.slice(found[0].length);
  };
  const links = Object.entries(spec.links ?? {}).map(
    ([inside, target]) => [inside, sourceOf(target)] as const,
  );
  const all = new Map([...byLength, ...links].sort(([a], [b]) => b.length - a.length));
  if (all.size === 0) return (text) => text;
  const names = [...all.keys()].map((path) => path.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  // Only where a path can begin and only whole components: not `/tmp` in `/var/tmp` or `/tmpfs`.
  const pattern = new RegExp(`(?<![\\w./-])(?:${names.join('|')})(?![\\w.-])`, 'g');
  return (text) => text.replaceAll(pattern, (path) => all.get(path) ?? path);
}
