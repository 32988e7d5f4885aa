/**
 * Rewrites ../manifest.yml from the Go module proxy: `node buildpacks/go/tools/update-manifest.ts`.
 * The newest patch of the newest lines; every other version comes from the proxy at staging. A toolchain is 70 MB, and
 * its sha256 is only known once it was downloaded: those that the manifest has already are not fetched again.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gte, rcompare, valid } from 'semver';
import { stringify } from 'yaml';
import { z } from 'zod';
import { fetchText } from '../../kit/download.ts';
import { manifestSums } from '../../kit/manifest-sums.ts';
import { registryUrl } from '../../kit/mirrors.ts';
import { fromGoName, toGoName } from '../src/version.ts';

const LINES = 4;
const base = `${registryUrl('goproxy', process.env)}/golang.org/toolchain/@v`;
const path = join(import.meta.dirname, '../manifest.yml');
const sha256 = await manifestSums(path);

const names = (await fetchText(`${base}/list`, 8 * 1024 * 1024)).split('\n');
const versions = names
  .flatMap((name) => /^v0\.0\.1-go(.+)\.linux-amd64$/.exec(name)?.[1] ?? [])
  .map(fromGoName)
  .filter((version) => valid(version) !== null && !version.includes('-') && gte(version, '1.21.0'))
  .sort(rcompare);
const lines = [...new Set(versions.map((version) => version.replace(/\.\d+$/, '')))];

const dependencies: object[] = [];
for (const line of lines.slice(0, LINES)) {
  const version = versions.find((it) => it.startsWith(`${line}.`)) ?? '';
  for (const [arch, machine] of [
    ['x64', 'amd64'],
    ['arm64', 'arm64'],
  ] as const) {
    const uri = `goproxy:golang.org/toolchain@v0.0.1-go${toGoName(version)}.linux-${machine}`;
    dependencies.push({ name: 'go', version, uri, sha256: await sha256(uri), arch });
  }
}

/** A line ends when the second one after it comes out. */
async function released(line: string): Promise<string> {
  const info = z
    .object({ Time: z.string() })
    .parse(JSON.parse(await fetchText(`${base}/v0.0.1-go${line}.0.linux-amd64.info`, 64 * 1024)));
  return info.Time.slice(0, 10);
}
const ends: object[] = [];
for (const [index, line] of lines.entries()) {
  const later = lines[index - 2];
  if (later === undefined) continue;
  const date = await released(later);
  ends.push({ name: 'go', version_line: `${line}.x`, date, link: 'https://go.dev/doc/devel/release' });
}
const manifest = {
  language: 'go',
  default_versions: [{ name: 'go', version: `${lines[0]}.x` }],
  dependency_deprecation_dates: ends,
  dependencies,
};
const header =
  '# Written by tools/update-manifest.ts. Modules of the Go module proxy, or of the mirror that GOPROXY names.\n';
await writeFile(path, header + stringify(manifest, { lineWidth: 0 }));
