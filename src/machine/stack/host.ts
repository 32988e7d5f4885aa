/** The machine itself as a stack. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { release } from 'node:os';
import { InsideView } from '../sandbox/child/inside-view.ts';
import { prettyName } from './check.ts';

/** Change when packages are installed or removed: Debian, Red Hat (old and new), Alpine, Arch. */
const PACKAGE_DATABASES = [
  '/var/lib/dpkg/status',
  '/var/lib/rpm/rpmdb.sqlite',
  '/var/lib/rpm/Packages',
  '/lib/apk/db/installed',
  '/var/lib/pacman/local',
] as const;

/**
 * Reading all of /usr would take minutes, so the digest is taken of the system's release and its package database: it
 * changes with every package, not with files that were put there by hand.
 */
export async function hostStackDigest(): Promise<{ readonly digest: string; readonly description: string }> {
  const hash = createHash('sha256');
  hash.update(`${process.arch}\n${await readFile('/usr/lib/os-release', 'utf8').catch(() => release())}\n`);
  for (const path of PACKAGE_DATABASES) {
    const stats = await stat(path).catch(() => undefined);
    if (stats !== undefined) hash.update(`${path} ${stats.size} ${stats.mtimeMs}\n`);
  }
  const name = (await prettyName(new InsideView('/', []))) ?? 'Linux';
  return { digest: hash.digest('hex'), description: `this machine: ${name}` };
}
