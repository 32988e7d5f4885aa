import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));
const versions = z.record(z.string(), z.string());
const { dependencies, devDependencies } = z
  .object({ dependencies: versions, devDependencies: versions })
  .parse(JSON.parse(readFileSync(`${root}/package.json`, 'utf8')));

describe('docs/dependencies.md', () => {
  it('lists every dependency with its version, and nothing else', () => {
    const page = readFileSync(`${root}/docs/dependencies.md`, 'utf8');
    const listed = [...page.matchAll(/^\| `([^`]+)` \| (\S+) \|/gm)].map(([, name, version]) => [
      name,
      version,
    ]);
    const wanted = [...Object.entries(dependencies), ...Object.entries(devDependencies)];
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(wanted));
    expect(listed).toHaveLength(wanted.length);
  });
});

describe('dependencies of the program', () => {
  it('are pinned', () => {
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  it('are imported by it', () => {
    const imported = importedBy(['src/**/*.ts', 'buildpacks/**/*.ts']);
    // bin/ starts what this one installs.
    const unused = Object.keys(dependencies).filter((name) => name !== 'node' && !imported.has(name));
    expect(unused).toEqual([]);
  });

  it('are all that it imports', () => {
    const imported = importedBy(['src/**/*.ts']);
    expect(Object.keys(devDependencies).filter((name) => imported.has(name))).toEqual([]);
  });
});

function importedBy(patterns: readonly string[]): ReadonlySet<string | undefined> {
  const files = globSync(patterns, {
    cwd: root,
    exclude: (path) => path.endsWith('node_modules') || path.endsWith('dist'),
  });
  const code = files.map((file) => readFileSync(`${root}/${file}`, 'utf8')).join('\n');
  const imports = code.matchAll(/(?:from|import\()\s*'((?:@[^/']+\/)?[^/'.]+)[^']*'/g);
  return new Set([...imports].map(([, name]) => name));
}
