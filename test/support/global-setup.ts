import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Builds dist/ and the buildpacks once a run, so that tests that start bin/stager run what is in src/ now. Type errors are the type
 * check's to report; the compiler emits in spite of them.
 */
export function setup(): void {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const built = spawnSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (built.error !== undefined) throw built.error;
  execFileSync(process.execPath, ['scripts/bundle-programs.ts'], { cwd: root, stdio: 'inherit' });
  execFileSync(process.execPath, ['buildpacks/kit/build.ts'], { cwd: root, stdio: 'inherit' });
}
