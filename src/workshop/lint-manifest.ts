/** Rules about manifest.yml. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { satisfies, valid, validRange } from 'semver';
import { buildpackVersion } from '../staging/buildpack/contract/facts.ts';
import { statedChecksum } from './checksum.ts';
import type { BareFinding, LintInput, Rule } from './lint-input.ts';
import type { BuildpackManifest, ManifestDependency } from './manifest.ts';
import { packageFiles } from './package-files.ts';

const FILE = 'manifest.yml';
const STACK_NAME = /^[A-Za-z0-9._-]{1,250}$/;
const GONE_STACKS: ReadonlySet<string> = new Set([
  'cflinuxfs2',
  'cflinuxfs3',
  'lucid64',
  'heroku-18',
  'heroku-20',
]);

/** https, and the registries that the kit knows. */
const URI_SCHEMES: ReadonlySet<string> = new Set([
  'https',
  'npm',
  'pypi',
  'maven',
  'goproxy',
  'debian',
  'debian-security',
  'ubuntu',
]);

type Finder = (
  manifest: BuildpackManifest,
  input: LintInput,
) => Promise<readonly BareFinding[]> | readonly BareFinding[];

function rule(id: string, severity: Rule['severity'], reason: string, find: Finder): Rule {
  return {
    id,
    severity,
    reason,
    find: (input) => (input.manifest.kind === 'manifest' ? find(input.manifest.manifest, input) : []),
  };
}

const at = (line: number, message: string): BareFinding => ({ path: FILE, line, message });
const nameOf = ({ name, version }: ManifestDependency): string =>
  `${name ?? 'a dependency'} ${version ?? ''}`.trim();

/** What is looked for in manifest.yml. */
export const MANIFEST_RULES: readonly Rule[] = [
  {
    id: 'manifest-missing',
    severity: 'note',
    reason: 'it names stack and dependencies, and what belongs in the package (manifest.yml)',
    find: ({ manifest, family }) =>
      manifest.kind === 'absent' && family !== 'heroku' ? [{ path: FILE, message: 'is missing' }] : [],
  },
  {
    id: 'manifest-broken',
    severity: 'error',
    reason: 'it is unreadable (manifest.yml)',
    find: ({ manifest }) => (manifest.kind === 'broken' ? [at(manifest.line, manifest.reason)] : []),
  },
  rule(
    'manifest-language',
    'error',
    'it is the name in config.yml and of the package (manifest.yml)',
    (manifest) =>
      manifest.language === undefined || manifest.language === '' ? [at(1, 'has no language')] : [],
  ),
  rule('manifest-stack', 'warning', 'the platform finds no stack of that name (manifest.yml)', (manifest) => {
    const own =
      manifest.stack === undefined ? [] : [{ name: manifest.stack, line: manifest.lineOf('stack') }];
    const others = manifest.dependencies.flatMap(({ stacks, line }) =>
      stacks.map((name) => ({ name, line })),
    );
    return [...own, ...others].flatMap(({ name, line }): BareFinding[] => {
      if (!STACK_NAME.test(name))
        return [{ ...at(line, `${JSON.stringify(name)} is not a valid stack name`), severity: 'error' }];
      return GONE_STACKS.has(name) ? [at(line, `stack ${name} is no longer supported`)] : [];
    });
  }),
  rule(
    'dependency-incomplete',
    'error',
    'a dependency is found by name and version, and fetched from its uri (manifest.yml)',
    (manifest) =>
      manifest.dependencies.flatMap((dependency) =>
        (['name', 'version', 'uri'] as const)
          .filter((key) => dependency[key] === undefined || dependency[key] === '')
          .map((key) => at(dependency.line, `${nameOf(dependency)} has no ${key}`)),
      ),
  ),
  rule(
    'dependency-checksum',
    'error',
    'what is downloaded is checked against its sha256, and refused without one (versions and downloads)',
    (manifest) =>
      manifest.dependencies.flatMap((dependency) => {
        if (statedChecksum(dependency) !== undefined) return [];
        const { sha256, integrity } = dependency;
        if (sha256 === undefined && integrity === undefined)
          return [at(dependency.line, `${nameOf(dependency)} has no sha256`)];
        const what =
          sha256 === undefined
            ? 'its integrity is not a complete sha512-…'
            : `its sha256 has ${sha256.length} characters instead of 64 hex digits`;
        return [at(dependency.line, `${nameOf(dependency)}: ${what}`)];
      }),
  ),
  rule(
    'dependency-uri',
    'error',
    'the manifest is used on machines that have nothing else (versions and downloads)',
    (manifest) =>
      manifest.dependencies.flatMap(({ uri = '', line, ...rest }): BareFinding[] => {
        const scheme = /^([a-z-]+):/i.exec(uri)?.[1]?.toLowerCase();
        if (uri === '' || (scheme !== undefined && URI_SCHEMES.has(scheme))) return [];
        const name = nameOf({ uri, line, ...rest });
        if (scheme === 'http')
          return [
            {
              ...at(line, `${name} comes over http: anybody in between can see and delay it`),
              severity: 'warning',
            },
          ];
        return [at(line, `${name}: ${scheme ?? 'no scheme'} is not https, npm or debian`)];
      }),
  ),
  rule(
    'dependency-duplicate',
    'warning',
    'only one of them is ever used (versions and downloads)',
    (manifest) => {
      const seen = new Set<string>();
      return manifest.dependencies.flatMap((dependency) => {
        const key = JSON.stringify([
          dependency.name,
          dependency.version,
          [...dependency.stacks].sort(),
          dependency.uri,
          dependency.arch,
        ]);
        if (seen.has(key)) return [at(dependency.line, `${nameOf(dependency)} is listed twice`)];
        seen.add(key);
        return [];
      });
    },
  ),
  rule(
    'dependency-file',
    'error',
    'an offline package has the file inside (manifest.yml)',
    async (manifest, { root }) => {
      const found: BareFinding[] = [];
      for (const dependency of manifest.dependencies) {
        if (dependency.file === undefined || dependency.file.startsWith('/')) continue;
        const facts = await stat(join(root, dependency.file)).catch(() => undefined);
        if (facts?.isFile() !== true)
          found.push(at(dependency.line, `${dependency.file} is not in the buildpack`));
      }
      return found;
    },
  ),
  rule(
    'default-version',
    'error',
    'exactly one default for each name, and a version that fits it (manifest.yml)',
    (manifest) => {
      const counts = new Map<string, number>();
      for (const { name = '' } of manifest.defaultVersions) counts.set(name, (counts.get(name) ?? 0) + 1);
      return manifest.defaultVersions.flatMap(({ name = '', version = '', line }): BareFinding[] => {
        if ((counts.get(name) ?? 0) > 1)
          return [at(line, `${name} has ${counts.get(name)} default versions`)];
        const versions = manifest.dependencies.filter((it) => it.name === name).map((it) => it.version ?? '');
        if (versions.length === 0) return [at(line, `no dependency is named ${name}`)];
        const fitting = versions.some((it) => it === version || version === '*' || fits(it, version));
        return fitting ? [] : [at(line, `no ${name} fits ${version}: there is ${versions.join(', ')}`)];
      });
    },
  ),
  rule(
    'include-files',
    'error',
    'packaging fails when a listed file is missing (manifest.yml)',
    async (manifest, { root }) => {
      if (manifest.includeFiles === undefined) return [];
      const found: BareFinding[] = [];
      for (const name of manifest.includeFiles) {
        const isThere = await packageFiles(root, [name]).then(
          () => true,
          () => false,
        );
        if (isThere) continue;
        const missing = at(manifest.lineOf('include_files'), `${name} is not there`);
        const { prePackage } = manifest;
        found.push(
          prePackage === undefined
            ? missing
            : {
                ...missing,
                message: `${missing.message} before ${prePackage} makes it`,
                severity: 'warning',
              },
        );
      }
      return found;
    },
  ),
];

function fits(version: string, range: string): boolean {
  // npm's ranges join with blanks, older manifests with commas.
  const joined = range.replaceAll(',', ' ').replace(/([<>=~^])\s+/g, '$1');
  return validRange(joined) !== null && valid(version) !== null && satisfies(version, joined);
}

/** What is wrong with VERSION, or nothing. */
export async function semverLike(root: string): Promise<string | undefined> {
  const version = await buildpackVersion(root);
  if (version === undefined) return 'does not contain one short line of plain text';
  return valid(version) === null ? `${version} is not a semantic version such as 1.2.3` : undefined;
}
