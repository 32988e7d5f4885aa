import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../../src/doors/cli/main.ts', import.meta.url));

/** What a module loads before it runs: files of ours, and packages. Types cost nothing. */
function loaded(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  if (!existsSync(file)) return seen;
  const text = readFileSync(file, 'utf8');
  for (const [, names = '', from = ''] of text.matchAll(
    /^(?:import|export)\s(?!type\s)([^;]*?)from '([^']+)';/gm,
  )) {
    const onlyTypes = /^\{(\s*type\s[^,}]+,?)+\s*\}\s*$/.test(names);
    if (!onlyTypes && !from.startsWith('node:'))
      loaded(from.startsWith('.') ? resolve(dirname(file), from) : from, seen);
  }
  return seen;
}

it('--help loads commander, the command table and the settings, and nothing heavy', () => {
  const names = [...loaded(MAIN)].map((file) => file.replace(/^.*\/src\//, '')).toSorted();
  expect(names).toEqual([
    'commander',
    'config/client-settings.ts',
    'config/general-settings.ts',
    'config/homes.ts',
    'config/image-settings.ts',
    'config/limits.ts',
    'config/sandbox-settings.ts',
    'config/schema.ts',
    'config/server-settings.ts',
    'config/setting.ts',
    'config/staging-settings.ts',
    'config/worker-settings.ts',
    'doors/cli/admin-commands.ts',
    'doors/cli/blobs-commands.ts',
    'doors/cli/buildpack-commands.ts',
    'doors/cli/command-table.ts',
    'doors/cli/main.ts',
    'doors/cli/program.ts',
    'doors/cli/terminal/output.ts',
    'doors/cli/terminal/streams.ts',
    'machine/host/compiled-code.ts',
    'machine/host/end-process.ts',
    'machine/host/heap-growth.ts',
    'machine/host/own-package.ts',
    'machine/host/umask.ts',
    'words/errors.ts',
  ]);
});
