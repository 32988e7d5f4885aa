/** Where Go's checksum of a module (`h1:`) is stated: the checksum database, which proxies pass on. */
import { fetchText } from './download.ts';
import { BuildpackFailure } from './failure.ts';
import { type Env, registryUrl } from './mirrors.ts';

const DATABASE = 'sum.golang.org';

/**
 * What the checksum database states for a module, asked through the proxy where it passes it on.
 *
 * @throws BuildpackFailure when neither answers, or the answer is for something else.
 */
export async function statedGoSum(module: string, version: string, env: Env): Promise<string> {
  const path = `lookup/${module}@${version}`;
  const places = [`${registryUrl('goproxy', env)}/sumdb/${DATABASE}/${path}`, `https://${DATABASE}/${path}`];
  let cause: unknown;
  for (const url of places) {
    try {
      const text = await fetchText(url, 64 * 1024);
      const line = text.split('\n').find((entry) => entry.startsWith(`${module} ${version} h1:`));
      if (line !== undefined) return line.slice(line.indexOf('h1:') + 3).trim();
    } catch (error) {
      cause = error;
    }
  }
  throw new BuildpackFailure(`the checksum of ${module} ${version} can't be fetched from ${DATABASE}`, {
    cause,
    next: 'Let the mirror (GOPROXY) pass on sumdb/sum.golang.org, or ask for a version that the buildpack has.',
  });
}
