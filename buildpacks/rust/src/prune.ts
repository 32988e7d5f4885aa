/** What the next staging does not need of Cargo's caches: unpacked sources, and crates that the lock no longer has. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CARGO_CACHES } from './cargo.ts';
import type { Locked } from './lock.ts';

/** Removes it; what Cargo needs again it makes from what stays. */
export async function pruneCargo(cacheDir: string, lock: readonly Locked[]): Promise<void> {
  const home = join(cacheDir, CARGO_CACHES[0]);
  for (const name of ['registry/src', 'git/checkouts', '.global-cache', 'config.toml']) {
    await rm(join(home, name), { recursive: true, force: true });
  }
  const wanted = new Set(lock.map(({ name, version }) => `${name}-${version}.crate`));
  for (const registry of await readdir(join(home, 'registry/cache')).catch(() => [])) {
    const folder = join(home, 'registry/cache', registry);
    for (const name of await readdir(folder)) {
      if (!wanted.has(name)) await rm(join(folder, name), { force: true });
    }
  }
}
