/** Where stager keeps its data and its caches. Imports nothing, since it is used before anything else. */
import { userInfo } from 'node:os';
import { join } from 'node:path';

export type ProcessEnvironment = Readonly<Record<string, string | undefined>>;

/** Absolute directories. */
export interface Homes {
  /** Data home. */
  readonly home: string;
  /** Cache home: downloads, probes; can be deleted at any time. */
  readonly cacheHome: string;
}

/** The two homes: below `home` (absolute) when the user named one, else in the user's directories as XDG says. */
export function homesOf(env: ProcessEnvironment, home: string | undefined): Homes {
  return {
    home: home ?? join(xdg(env, 'XDG_DATA_HOME', '.local/share'), 'stager'),
    cacheHome:
      home === undefined ? join(xdg(env, 'XDG_CACHE_HOME', '.cache'), 'stager') : join(home, 'cache'),
  };
}

/** The cache home before any setting is read: what a flag or a config file says does not count. */
export function usualCacheHome(env: ProcessEnvironment = process.env): string {
  const home = env['STAGER_HOME'];
  return homesOf(env, home?.startsWith('/') === true ? home : undefined).cacheHome;
}

/** A directory of the XDG base directory specification; `fallback` is relative to the home directory. */
export function xdg(env: ProcessEnvironment, name: string, fallback: string): string {
  const absolute = [env[name], env['HOME']].map((path) =>
    path?.startsWith('/') === true ? path : undefined,
  );
  return absolute[0] ?? join(absolute[1] ?? userInfo().homedir, fallback);
}
