/** Moves what is to be served into `public`, so that nothing else of the app can be asked for. */
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { BuildpackFailure, type Log } from '../../kit/index.ts';
import { kindOf, type Settings } from './settings.ts';

/** Never served: configuration, credentials, what starts the app. */
const KEPT_BACK = new Set([
  'Staticfile',
  'Staticfile.auth',
  'manifest.yml',
  'Procfile',
  '.profile',
  '.profile.d',
  '.cloudfoundry',
  'nginx',
]);

/**
 * Renames the entries of the root (dot files only when asked for) into `<app>/public`.
 *
 * @throws BuildpackFailure when `root` is missing, no directory or outside the app.
 */
export async function publish(appDir: string, settings: Settings, log: Log): Promise<void> {
  const from = resolve(appDir, settings.root);
  const inside = relative(appDir, from);
  if (inside.startsWith('..')) {
    throw new BuildpackFailure(`root in the Staticfile is ${settings.root}, which is outside the app`);
  }
  const kind = await kindOf(from);
  if (kind !== 'directory') {
    throw new BuildpackFailure(
      `root in the Staticfile is ${settings.root}, which ${kind === undefined ? 'does not exist' : 'is a file'}`,
      { next: 'Name a directory of the app; if a build makes it, run that build before staging.' },
    );
  }
  log.step(`Serving ${inside === '' ? 'the app' : inside}`);
  const to = join(appDir, 'public');
  if (from === to) return;
  const aside = await mkdtemp(join(appDir, '.public-'));
  for (const name of await readdir(from)) {
    const hidden = name.startsWith('.') && !settings.host_dot_files;
    if (hidden || KEPT_BACK.has(name) || join(from, name) === aside) continue;
    await rename(join(from, name), join(aside, name));
  }
  await rm(to, { recursive: true, force: true });
  await rename(aside, to);
}
