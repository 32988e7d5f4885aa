/** A shipped buildpack with its dependencies inside, as `buildpack package --offline` makes it. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { createLog } from '../../buildpacks/kit/log.ts';
import { makeOffline } from '../../buildpacks/kit/offline.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const entries = z.object({ dependencies: z.array(z.object({ name: z.string(), version: z.string() })) });

/** Writes it to `to`; only the dependencies that `wanted` takes, since a runtime is large. Downloads are shared with the driver. */
export async function offlineBuildpack(
  name: string,
  to: string,
  wanted: (dependency: { readonly name: string; readonly version: string }) => boolean,
): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const part of ['bin', 'dist', 'profile', 'manifest.yml', 'VERSION']) {
    await cp(join(ROOT, 'buildpacks', name, part), join(to, part), { recursive: true }).catch(
      () => undefined,
    );
  }
  const path = join(to, 'manifest.yml');
  const document = parseDocument(await readFile(path, 'utf8'));
  const { dependencies } = entries.parse(document.toJS());
  for (const [index, dependency] of [...dependencies.entries()].reverse()) {
    if (!wanted(dependency)) document.deleteIn(['dependencies', index]);
  }
  await writeFile(path, document.toString({ lineWidth: 0 }));
  const log = createLog(() => undefined);
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  await makeOffline(to, { arch, cacheDir: join(ROOT, '.cache/buildpack-tests'), env: process.env, log });
}
