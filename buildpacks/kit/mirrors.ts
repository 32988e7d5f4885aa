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
  /** Where neither Debian nor another registry has something. Other machines than x64 have a server of their own. */
  ubuntu: { variables: ['STAGER_UBUNTU_MIRROR'], standard: 'https://archive.ubuntu.com/ubuntu' },
  /** Only the simple index is asked: many company mirrors serve nothing else. */
  pypi: {
    variables: ['STAGER_PYPI_INDEX', 'UV_DEFAULT_INDEX', 'UV_INDEX_URL', 'PIP_INDEX_URL'],
    standard: 'https://pypi.org/simple',
  },
  /** MVNW_REPOURL is what Maven's own wrapper reads. */
  maven: { variables: ['STAGER_MAVEN_MIRROR', 'MVNW_REPOURL'], standard: 'https://repo1.maven.org/maven2' },
  goproxy: { variables: ['STAGER_GO_PROXY', 'GOPROXY'], standard: 'https://proxy.golang.org' },
  /** A sparse index. Cargo itself has no variable for it, only `[source]` in its configuration. */
  cargo: { variables: ['STAGER_CARGO_REGISTRY'], standard: 'https://index.crates.io' },
  /** Microsoft's own archive, laid out as it is there. No registry has .NET. */
  dotnet: { variables: ['STAGER_DOTNET_MIRROR'], standard: 'https://builds.dotnet.microsoft.com/dotnet' },
} as const satisfies Record<string, Registry>;

/** The registries that a URI can name. */
export type RegistryName = keyof typeof REGISTRIES;

/** Registries whose URIs are paths on their server. */
const PLAIN = ['debian', 'debian-security', 'ubuntu', 'dotnet'] as const;

/** Base URL of a registry, without a slash at its end: the mirror that `env` names, else the public one. */
export function registryUrl(name: RegistryName, env: Env): string {
  const { variables, standard } = REGISTRIES[name];
  const mirror = variables
    .map((variable) => env[variable])
    .find((value) => value !== undefined && value !== '');
  return (name === 'goproxy' ? goProxy(mirror, standard) : (mirror ?? standard)).replace(/\/+$/, '');
}

/**
 * The URL to download a manifest's `uri` from. http(s) URLs stay as they are. Where a `pypi:` file lies only its
 * index says: that is `findOnPypi`.
 *
 * @throws BuildpackFailure for any other scheme.
 */
export function locate(uri: string, env: Env): string {
  const [, scheme = '', rest = ''] = /^([a-z-]+):(.*)$/s.exec(uri) ?? [];
  if (scheme === 'https' || scheme === 'http') return uri;
  if (scheme === 'npm') return npmTarball(rest, uri, env);
  const named = PLAIN.find((name) => name === scheme);
  if (named !== undefined) return `${registryUrl(named, env)}/${rest}`;
  if (scheme === 'maven') return `${registryUrl('maven', env)}/${mavenPath(rest, uri)}`;
  if (scheme === 'goproxy') return `${registryUrl('goproxy', env)}/${goPath(rest, uri)}`;
  throw new BuildpackFailure(`don't know how to download ${uri}`, {
    next: 'Use an https URL or one of the forms that docs/kit.md lists (npm:, pypi:, maven:, goproxy:, debian:, ubuntu:).',
  });
}

/** File name under which a dependency is kept; its ending says how it is packed. */
export function fileNameOf(uri: string): string {
  const npm = /^npm:(.+)@([^@]+)$/.exec(uri);
  if (npm !== null) return `${(npm[1] ?? '').replace('@', '').replace('/', '-')}-${npm[2]}.tgz`;
  if (uri.startsWith('maven:')) return basename(mavenPath(uri.slice('maven:'.length), uri));
  const go = /^goproxy:(.+)@([^@]+)$/.exec(uri);
  if (go !== null) return `${basename(go[1] ?? '')}-${go[2]}.zip`;
  const path = uri.replace(/[?#].*$/s, '');
  return decodeURIComponent(basename(path));
}

/** The parts of `pypi:<project>@<version>/<file>`; undefined when the URI is of another kind. */
export function pypiParts(uri: string): { readonly project: string; readonly file: string } | undefined {
  if (!uri.startsWith('pypi:')) return undefined;
  const [, project = '', file = ''] = /^pypi:([\w.-]+)@[\w.+!-]+\/([\w.+-]+)$/.exec(uri) ?? [];
  if (file === '')
    throw new BuildpackFailure(`${uri} is not of the form pypi:<project>@<version>/<file name>`);
  return { project: project.toLowerCase().replace(/[-_.]+/g, '-'), file };
}

/** The first server of a GOPROXY list; `direct` and `off` are for the go command, which has other ways. */
function goProxy(value: string | undefined, standard: string): string {
  if (value === undefined) return standard;
  const servers = value.split(/[,|]/).map((entry) => entry.trim());
  const server = servers.find((entry) => /^(https?|file):/.test(entry));
  if (server !== undefined) return server;
  if (servers.includes('direct')) return standard;
  throw new BuildpackFailure(`GOPROXY is ${value}: there is no server to download Go from`, {
    next: 'Name a module proxy in GOPROXY or STAGER_GO_PROXY, or use an offline buildpack.',
  });
}

/** `!x` for every capital, as the proxy's protocol has it. */
function goPath(spec: string, uri: string): string {
  const [, module = '', version = ''] = /^([\w.~/-]+)@([\w.+-]+)$/.exec(spec) ?? [];
  if (module === '') throw new BuildpackFailure(`${uri} is not of the form goproxy:<module>@<version>`);
  const escaped = (text: string) => text.replace(/[A-Z]/g, (capital) => `!${capital.toLowerCase()}`);
  return `${escaped(module)}/@v/${escaped(version)}.zip`;
}

function mavenPath(spec: string, uri: string): string {
  const form = /^([\w.-]+):([\w.-]+):([\w.+-]+)(?::([\w.-]+))?(?:@([\w.]+))?$/;
  const [, group = '', artifact = '', version = '', classifier, extension = 'jar'] = form.exec(spec) ?? [];
  if (group === '') {
    throw new BuildpackFailure(
      `${uri} is not of the form maven:<group>:<artifact>:<version>[:<classifier>][@<extension>]`,
    );
  }
  const tail = classifier === undefined ? '' : `-${classifier}`;
  return `${group.replaceAll('.', '/')}/${artifact}/${version}/${artifact}-${version}${tail}.${extension}`;
}

function npmTarball(spec: string, uri: string, env: Env): string {
  const [, name = '', version = ''] = /^((?:@[\w.-]+\/)?[\w.-]+)@([\w.+-]+)$/.exec(spec) ?? [];
  if (name === '') throw new BuildpackFailure(`${uri} is not of the form npm:<package>@<version>`);
  return `${registryUrl('npm', env)}/${name}/-/${basename(name)}-${version}.tgz`;
}
