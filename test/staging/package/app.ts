/** The app that the tests of packages store. */
import { chmod, lutimes, mkdir, mkdtemp, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PackageResult, storePackage } from '../../../src/staging/package/create.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { signal } from './support.ts';

export const old = new Date('2020-01-01T00:00:00Z');

/** Makes it, of files that are years old. */
export async function makeApp(app: string): Promise<void> {
  await mkdir(join(app, 'lib/empty'), { recursive: true });
  await writeFile(join(app, 'index.js'), 'main');
  await writeFile(join(app, 'lib/a.js'), 'aaaa');
  await writeFile(join(app, 'lib/copy-of-a.js'), 'aaaa');
  await writeFile(join(app, 'run.sh'), '#!/bin/sh\n');
  await writeFile(join(app, 'nothing'), '');
  await chmod(join(app, 'run.sh'), 0o755);
  await symlink('lib/a.js', join(app, 'link'));
  for (const path of ['index.js', 'lib/a.js', 'lib/copy-of-a.js', 'run.sh', 'nothing']) {
    await utimes(join(app, path), old, old);
  }
  await lutimes(join(app, 'link'), old, old);
}

/** That app below a new directory, and an empty store beside it. */
export async function appAndStore(): Promise<{ root: string; app: string; store: BlobStore }> {
  const root = await mkdtemp(join(tmpdir(), 'stager-package-'));
  const app = join(root, 'app');
  await makeApp(app);
  return { root, app, store: await openBlobStore(join(root, 'store')) };
}

/** What a test chooses of a package. */
export interface CreateOptions {
  readonly statCachePath?: string;
  readonly tenant?: string;
}

/** Stores the app as it is now. */
export async function createOf(
  { app, store }: { readonly app: string; readonly store: BlobStore },
  options: CreateOptions,
): Promise<PackageResult> {
  return storePackage(await openSource(app), { store, signal, ...options });
}

/** What {@link contentsOf} says of it. */
export const whole = {
  'index.js': '644 main',
  lib: 'dir',
  'lib/a.js': '644 aaaa',
  'lib/copy-of-a.js': '644 aaaa',
  'lib/empty': 'dir',
  link: '-> lib/a.js',
  nothing: '644 ',
  'run.sh': '755 #!/bin/sh\n',
};
