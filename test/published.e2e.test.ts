/**
 * What a release publishes: scripts/release.sh makes the npm package and the archive, installs each in an empty
 * directory, and stages an app with each. Then the package's contents are looked at, below a node_modules where Node
 * strips no types.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const Package = z.object({
  version: z.string(),
  exports: z.record(z.string(), z.object({ types: z.string(), default: z.string() })),
  private: z.undefined().optional(),
  repository: z.object({ url: z.string() }),
});

let dir: string;
let installed: string;
let released: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-published-'));
  const script = join(ROOT, 'scripts/release.sh');
  released = execFileSync('sh', ['-c', `sh "$0" --snapshot --out "$1" 2>&1`, script, join(dir, 'out')], {
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: dir },
  });
  const names = await readdir(join(dir, 'out'));
  installed = join(dir, 'node_modules/stager');
  await mkdir(installed, { recursive: true });
  const [packed = ''] = names.filter((name) => name.endsWith('.tgz'));
  execFileSync('tar', ['-xzf', join(dir, 'out', packed), '-C', installed, '--strip-components=1']);
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    await symlink(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name));
  }
});

afterAll(() => rm(dir, { recursive: true, force: true }));

it('is proved by staging with the npm package and with the archive, both installed in empty directories', () => {
  expect(released).toContain('proof: npm: --version, --help, stage, run');
  expect(released).toContain('proof: archive: --version, --help, stage, run');
});

it('consists of a package, an archive and their sums', async () => {
  const names = await readdir(join(dir, 'out'));
  expect(names.toSorted()).toEqual([
    'SHA256SUMS',
    expect.stringMatching(/^stager-[\d.]+-linux-(x64|arm64)\.tar\.gz$/),
    expect.stringMatching(/^stager-[\d.]+\.tgz$/),
  ]);
  execFileSync('sha256sum', ['--check', '--status', 'SHA256SUMS'], { cwd: join(dir, 'out') });
});

it('can be published, and says where it comes from and on which terms', async () => {
  Package.parse(JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')));
  expect(await readdir(installed)).toEqual(
    expect.arrayContaining(['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md']),
  );
});

it('has what can be imported, and its types', async () => {
  const script = join(dir, 'import.mjs');
  await writeFile(
    script,
    `import { stage } from 'stager';
     import { runSteps } from 'stager/kit';
     console.log(typeof stage, typeof runSteps);`,
  );
  expect(execFileSync(process.execPath, [script], { cwd: dir }).toString()).toBe('function function\n');
  const { exports } = Package.parse(JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')));
  for (const { types } of Object.values(exports)) await readFile(join(installed, types));
});

it('has the buildpacks that ship, the documents that the help names, and nothing of an older build', async () => {
  expect(await readdir(join(installed, 'dist/buildpacks'))).toEqual(
    expect.arrayContaining(['binary', 'nodejs', 'procfile', 'staticfile']),
  );
  expect(await readdir(join(installed, 'docs'))).toEqual(expect.arrayContaining(['cli.md', 'errors.md']));
  expect(await readdir(join(installed, 'dist/programs/page'))).toEqual(['icon.svg', 'page.css', 'page.js']);
  const folders = (await readdir(join(ROOT, 'src'), { withFileTypes: true })).filter((it) =>
    it.isDirectory(),
  );
  const built = (await readdir(join(installed, 'dist'), { withFileTypes: true })).filter((it) =>
    it.isDirectory(),
  );
  expect(built.map(({ name }) => name).toSorted()).toEqual(
    ['buildpacks', 'kit', 'programs', ...folders.map(({ name }) => name)].toSorted(),
  );
});
