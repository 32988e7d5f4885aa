/** Mirrors of package registries that a company names in its environment, as the buildpack kit reads them. */

/** Base URLs without a slash at their end. */
export interface Registries {
  readonly npm: string;
  readonly debian: string;
  readonly 'debian-security': string;
  readonly ubuntu: string;
  /** Simple index. */
  readonly pypi: string;
  readonly maven: string;
  readonly goproxy: string;
}

/** The mirrors, else the public registries. */
export function registriesOf(env: Readonly<Record<string, string | undefined>> = process.env): Registries {
  const first = (standard: string, ...names: readonly string[]): string => {
    const named = names.map((name) => env[name]).find((value) => value !== undefined && value !== '');
    return (named ?? standard).replace(/\/+$/, '');
  };
  return {
    npm: first(
      'https://registry.npmjs.org',
      'STAGER_NPM_REGISTRY',
      'NPM_CONFIG_REGISTRY',
      'npm_config_registry',
    ),
    debian: first('https://deb.debian.org/debian', 'STAGER_DEBIAN_MIRROR'),
    'debian-security': first('https://deb.debian.org/debian-security', 'STAGER_DEBIAN_SECURITY_MIRROR'),
    ubuntu: first('https://archive.ubuntu.com/ubuntu', 'STAGER_UBUNTU_MIRROR'),
    pypi: first(
      'https://pypi.org/simple',
      'STAGER_PYPI_INDEX',
      'UV_DEFAULT_INDEX',
      'UV_INDEX_URL',
      'PIP_INDEX_URL',
    ),
    maven: first('https://repo1.maven.org/maven2', 'STAGER_MAVEN_MIRROR', 'MVNW_REPOURL'),
    goproxy: goProxy(first('https://proxy.golang.org', 'STAGER_GO_PROXY', 'GOPROXY')),
  };
}

/** The first server of a list such as `https://proxy.example,direct`. */
function goProxy(list: string): string {
  const server = list.split(/[,|]/).find((entry) => /^https?:/.test(entry.trim()));
  return (server ?? 'https://proxy.golang.org').trim().replace(/\/+$/, '');
}
