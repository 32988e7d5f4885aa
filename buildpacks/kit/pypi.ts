/** Files of a Python package index, found through the simple interface (an HTML page of links a project). */
import { fetchText } from './download.ts';
import { BuildpackFailure } from './failure.ts';
import { hideCredentials } from './log.ts';
import { type Env, pypiParts, registryUrl } from './mirrors.ts';

/** The page of a project with many releases is a few megabytes. */
const PAGE_LIMIT = 64 * 1024 * 1024;

/** A file that an index offers. */
export interface PypiFile {
  readonly name: string;
  readonly url: string;
  /** Hex, where the index states it. */
  readonly sha256: string | undefined;
}

/** All files of a project. */
export async function pypiFiles(project: string, env: Env): Promise<PypiFile[]> {
  const page = `${registryUrl('pypi', env)}/${project}/`;
  const html = await fetchText(page, PAGE_LIMIT);
  return [...html.matchAll(/<a\s[^>]*?href\s*=\s*["']([^"']+)["']/gi)].flatMap(([, href = '']) => {
    const link = href.replaceAll('&amp;', '&');
    if (!URL.canParse(link, page)) return [];
    const url = new URL(link, page);
    const sha256 = /^#sha256=([0-9a-f]{64})$/.exec(url.hash)?.[1];
    url.hash = '';
    const name = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf('/') + 1));
    return [{ name, url: withCredentials(url, page), sha256 }];
  });
}

/**
 * The URL of `pypi:<project>@<version>/<file>`.
 *
 * @throws BuildpackFailure when the index does not list the file.
 */
export async function findOnPypi(uri: string, env: Env): Promise<string | undefined> {
  const parts = pypiParts(uri);
  if (parts === undefined) return undefined;
  const found = (await pypiFiles(parts.project, env)).find(({ name }) => name === parts.file);
  if (found !== undefined) return found.url;
  const index = hideCredentials(registryUrl('pypi', env));
  throw new BuildpackFailure(`the package index ${index} does not list ${parts.file}`, {
    next: 'Check the mirror (PIP_INDEX_URL, UV_DEFAULT_INDEX, STAGER_PYPI_INDEX), or use an offline buildpack.',
  });
}

/** Links of a mirror rarely repeat the credentials that its own address has. */
function withCredentials(url: URL, page: string): string {
  const { host, username, password } = new URL(page);
  if (url.host === host && url.username === '') {
    url.username = username;
    url.password = password;
  }
  return url.href;
}
