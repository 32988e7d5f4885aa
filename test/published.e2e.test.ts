/** The package as npm would publish it, below a node_modules where Node strips no types. */
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const Packed = z.tuple([z.object({ files: z.array(z.object({ path: z.string() })) })]);
const Exports = z.object({
  exports: z.record(z.string(), z.object({ types: z.string(), default: z.string() })),
});

let dir: string;
let installed: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-published-'));
  installed = join(dir, 'node_modules/stager');
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files }] = Packed.parse(JSON.parse(packed.toString()));
  await mkdir(installed, { recursive: true });
  for (const { path } of files) await cp(join(ROOT, path), join(installed, path));
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    await symlink(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name));
  }
});

afterAll(() => rm(dir, { recursive: true, force: true }));

it('has a command that starts', () => {
  expect(execFileSync(join(installed, 'bin/stager'), ['--version']).toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
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
  const { exports } = Exports.parse(JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')));
  for (const { types } of Object.values(exports)) await readFile(join(installed, types));
});

it('has the buildpacks that ship, and the documents that the help names', async () => {
  expect(await readdir(join(installed, 'dist/buildpacks'))).toEqual(
    expect.arrayContaining(['binary', 'nodejs', 'procfile', 'staticfile']),
  );
  expect(await readdir(join(installed, 'docs'))).toEqual(expect.arrayContaining(['cli.md', 'errors.md']));
});
