/**
 * Rewrites the manifests of the shipped buildpacks: `npm run buildpacks:update [-- --check] [NAME…]`. What changed is
 * listed; with --check nothing is written, and the exit status is 1 when something is behind. A tool that fails leaves its
 * manifest as it was.
 */
import { execFile } from 'node:child_process';
import { access, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';

const all = dirname(dirname(fileURLToPath(import.meta.url)));
const manifest = z.object({
  dependencies: z.array(z.object({ name: z.string(), version: z.coerce.string(), uri: z.string() })),
});

/** `name version (uri)` of each entry. */
function entriesOf(text: string): Set<string> {
  const { dependencies } = manifest.parse(parse(text));
  return new Set(dependencies.map(({ name, version, uri }) => `${name} ${version} (${uri})`));
}

/** The tool of one buildpack is run; lines with `+` and `-` for what changed. */
async function update(name: string, check: boolean): Promise<string[]> {
  const path = join(all, name, 'manifest.yml');
  const before = await readFile(path, 'utf8');
  try {
    await promisify(execFile)(process.execPath, [join(all, name, 'tools/update-manifest.ts')]);
    const after = await readFile(path, 'utf8');
    const [old, fresh] = [entriesOf(before), entriesOf(after)];
    return [
      ...[...old].filter((entry) => !fresh.has(entry)).map((entry) => `- ${entry}`),
      ...[...fresh].filter((entry) => !old.has(entry)).map((entry) => `+ ${entry}`),
    ];
  } catch (error) {
    await writeFile(path, before);
    throw error;
  } finally {
    if (check) await writeFile(path, before);
  }
}

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const check = process.argv.includes('--check');
const behind: string[] = [];
const failed: string[] = [];
for (const name of (await readdir(all)).sort()) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const hasTool = await access(join(all, name, 'tools/update-manifest.ts')).then(
    () => true,
    () => false,
  );
  if (!hasTool) continue;
  const changes = await update(name, check).catch((error: unknown) => {
    // A registry that is out of reach must not hide what the others have.
    const said = error instanceof Error ? error.message : String(error);
    process.stdout.write(`${name}: failed\n${said.replace(/^/gm, '  ')}\n`);
    failed.push(name);
    return undefined;
  });
  if (changes === undefined) continue;
  process.stdout.write(`${name}: ${changes.length === 0 ? 'nothing newer' : 'newer versions'}\n`);
  for (const line of changes) process.stdout.write(`  ${line}\n`);
  if (changes.length > 0) behind.push(name);
}
process.stdout.write(`\nbehind: ${behind.join(', ') || 'none'}; failed: ${failed.join(', ') || 'none'}\n`);
if (failed.length > 0 || (check && behind.length > 0)) process.exitCode = 1;
