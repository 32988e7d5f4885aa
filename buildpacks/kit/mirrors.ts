/**
 * Where packages come from. A manifest names a package of a registry (`npm:yarn@1.22.22`,
 * `debian:pool/main/n/nginx/nginx_1_amd64.deb`), not a server, since companies mirror registries.
 * This is the only file that knows the public ones.
 */
import { basename } from 'node:path';
import { BuildpackFailure } from './failure.ts';

/** Environment as a script sees it. */
export type Env = Readonly<Record<string, string | undefined>>;

interface Registry {
  /** Variables that name a mirror, the first one set wins. */
  readonly variables: readonly string[];
  readonly standard: string;
}

const REGISTRIES = {
  npm: {
    variables: ['STAGER_NPM_REGISTRY', 'NPM_CONFIG_REGISTRY', 'npm_config_registry'],
    standard: 'https://registry.npmjs.org',
  },
  debian: { variables: ['STAGER_DEBIAN_MIRROR'], standard: 'https://deb.debian.org/debian' },
  'debian-security': {
    variables: ['STAGER_DEBIAN_SECURITY_MIRROR'],
    standard: 'https://deb.debian.org/debian-security',
  },
} as const satisfies Record<string, Registry>;

/** The registries that a URI can name. */
export type RegistryName = keyof typeof REGISTRIES;

/** Base URL of a registry, without a slash at its end: the mirror that `env` names, else the public one. */
export function registryUrl(name: RegistryName, env: Env): string {
  const { variables, standard } = REGISTRIES[name];
  const mirror = variables
    .map((variable) => env[variable])
    .find((value) => value !== undefined && value !== '');
  return (mirror ?? standard).replace(/\/+$/, '');
}

/**
 * The URL to download a manifest's `uri` from. http(s) and file URLs stay as they are.
 *
 * @throws BuildpackFailure for any other scheme.
 */
export function locate(uri: string, env: Env): string {
  const [, scheme = '', rest = ''] = /^([a-z-]+):(.*)$/s.exec(uri) ?? [];
  if (scheme === 'https' || scheme === 'http') return uri;
  if (scheme === 'npm') return npmTarball(rest, uri, env);
  if (scheme === 'debian' || scheme === 'debian-security') return `${registryUrl(scheme, env)}/${rest}`;
  throw new BuildpackFailure(`don't know how to download ${uri}`, {
    next: 'Use an https URL, npm:<package>@<version> or debian:<path below the mirror>.',
  });
}

/** File name under which a dependency is kept; its ending says how it is packed. */
export function fileNameOf(uri: string): string {
  const npm = /^npm:(.+)@([^@]+)$/.exec(uri);
  if (npm !== null) return `${(npm[1] ?? '').replace('@', '').replace('/', '-')}-${npm[2]}.tgz`;
  const path = uri.replace(/[?#].*$/s, '');
  return decodeURIComponent(basename(path));
}

function npmTarball(spec: string, uri: string, env: Env): string {
  const [, name = '', version = ''] = /^((?:@[\w.-]+\/)?[\w.-]+)@([\w.+-]+)$/.exec(spec) ?? [];
  if (name === '') throw new BuildpackFailure(`${uri} is not of the form npm:<package>@<version>`);
  return `${registryUrl('npm', env)}/${name}/-/${basename(name)}-${version}.tgz`;
}
