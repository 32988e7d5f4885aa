/**
 * Rewrites ../manifest.yml from the npm registry: `node buildpacks/nodejs/tools/update-manifest.ts`.
 * The two newest patches of each Node line, npm, yarn and pnpm of each supported major.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { major, parse, rcompare } from 'semver';
import { stringify } from 'yaml';
import { z } from 'zod';
import { registryUrl } from '../../kit/mirrors.ts';

const NODE_LINES = [18, 20, 22, 24, 26];
const TOOLS = [
  { name: 'npm', package: 'npm', lines: [10, 11, 12], requires: true },
  { name: 'yarn', package: 'yarn', lines: [1], requires: false },
  { name: 'yarn', package: '@yarnpkg/cli-dist', lines: [3, 4], requires: true },
  { name: 'pnpm', package: 'pnpm', lines: [8, 9, 10, 11], requires: true },
] as const;

const packument = z.object({
  versions: z.record(
    z.string(),
    z.object({
      dist: z.object({ integrity: z.string() }),
      engines: z.object({ node: z.string().optional() }).optional().catch(undefined),
    }),
  ),
});

interface Wanted {
  readonly name: string;
  readonly lines: readonly number[];
  readonly perLine: number;
  readonly extra: object;
  readonly requires: boolean;
}

async function entriesOf({ name, lines, perLine, extra, requires }: Wanted) {
  const url = `${registryUrl('npm', process.env)}/${name.replace('/', '%2f')}`;
  const { versions } = packument.parse(await (await fetch(url)).json());
  const stable = Object.keys(versions).filter((version) => parse(version)?.prerelease.length === 0);
  return lines.flatMap((line) =>
    stable
      .filter((version) => major(version) === line)
      .sort(rcompare)
      .slice(0, perLine)
      .map((version) => ({
        version,
        uri: `npm:${name}@${version}`,
        integrity: versions[version]?.dist.integrity,
        ...extra,
        ...(requires ? { requires: { node: versions[version]?.engines?.node ?? '*' } } : {}),
      })),
  );
}

const dependencies: object[] = [];
for (const arch of ['x64', 'arm64']) {
  const name = `node-linux-${arch}`;
  const wanted = { name, lines: NODE_LINES, perLine: 2, extra: { arch }, requires: false };
  for (const entry of await entriesOf(wanted)) {
    dependencies.push({ name: 'node', ...entry });
  }
}
for (const tool of TOOLS) {
  const { package: name, lines, requires } = tool;
  for (const entry of await entriesOf({ name, lines, perLine: 1, extra: {}, requires })) {
    dependencies.push({ name: tool.name, ...entry });
  }
}
const ends = { 18: '2025-04-30', 20: '2026-04-30', 22: '2027-04-30', 24: '2028-04-30', 26: '2029-04-30' };
const manifest = {
  language: 'nodejs',
  default_versions: [
    { name: 'node', version: '24.x' },
    { name: 'npm', version: '10.x || 11.x' },
    { name: 'yarn', version: '1.x' },
    { name: 'pnpm', version: '10.x' },
  ],
  dependency_deprecation_dates: Object.entries(ends).map(([line, date]) => ({
    name: 'node',
    version_line: `${line}.x`,
    date,
    link: 'https://github.com/nodejs/Release',
  })),
  dependencies,
};
const header =
  '# Written by tools/update-manifest.ts. Packages of the npm registry, or of the mirror that is configured.\n';
await writeFile(join(import.meta.dirname, '../manifest.yml'), header + stringify(manifest, { lineWidth: 0 }));
