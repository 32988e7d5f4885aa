/** The package that this program belongs to, whether it runs from src/, dist/ or a bundle below dist/programs. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OWN_FILE = fileURLToPath(import.meta.url);

/** The directory of our package.json. */
export const OWN_ROOT = findRoot(dirname(OWN_FILE));

/** Whether the TypeScript sources run as they are: as opposed to what the build made of them. */
export const FROM_SOURCES = extname(OWN_FILE) === '.ts';

/** The version that package.json names. */
export function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(OWN_ROOT, 'package.json'), 'utf8'));
  // Without a schema library: this is all that `--version` and `--help` load.
  if (typeof manifest !== 'object' || manifest === null || !('version' in manifest)) return 'unknown';
  return String(manifest.version);
}

/** The file that Node runs for a module, named by its path below src/ without an ending. */
export function ownModule(path: string): string {
  return FROM_SOURCES ? join(OWN_ROOT, 'src', `${path}.ts`) : join(OWN_ROOT, 'dist', `${path}.js`);
}

function findRoot(from: string): string {
  for (let dir = from; ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'package.json'))) return dir;
    if (dir === dirname(dir)) throw new Error(`no package.json above ${from}`);
  }
}
