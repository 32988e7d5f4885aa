/** Which package manager an app uses, and which version of it. */
import { join } from 'node:path';
import { intersects, prerelease, valid } from 'semver';
import { BuildpackFailure, type Checksum, checksum, type Log, normaliseRange } from '../../kit/index.ts';
import { isBerryLock, lineOfLock, readersOf, readLock } from './lock-file.ts';
import { type App, readText } from './package-json.ts';

/** Yarn before and after version 2 share a name and little else. */
export type ManagerName = 'npm' | 'yarn' | 'berry' | 'pnpm';

/** What was decided. */
export interface Manager {
  readonly name: ManagerName;
  /** Exact version that the app pins with packageManager, or the range of engines; undefined: any. */
  readonly version: string | undefined;
  /** The line that reads this form of lock file; undefined: any does. */
  readonly line: string | undefined;
  /** Checksum that the app pins, of the same form as corepack's. */
  readonly pin: Checksum | undefined;
  /** Lock file in use; undefined when there is none. */
  readonly lock: string | undefined;
  /** A release of Yarn that the app carries (yarnPath). */
  readonly carried: boolean;
}

const LOCKS = [
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['npm-shrinkwrap.json', 'npm'],
  ['package-lock.json', 'npm'],
] as const;

/**
 * packageManager decides, then the lock file. Several lock files are warned about.
 *
 * @throws BuildpackFailure for a packageManager or an engines entry that can't be understood, and for a lock file that
 *   can't be read or that the wanted Yarn does not read.
 */
export async function chooseManager(app: App, log: Log): Promise<Manager> {
  const locks = LOCKS.filter(([file]) => app.files.has(file));
  const pinned = parsePackageManager(app.json.packageManager);
  const family = pinned?.family ?? locks[0]?.[1] ?? 'npm';
  const lock = locks.find(([, owner]) => owner === family)?.[0];
  const others = locks.filter(([file, owner]) => file !== lock && owner !== family);
  if (others.length > 0) {
    const names = others.map(([file]) => file).join(', ');
    log.warning(`Using ${family}${lock === undefined ? '' : ` (${lock})`}; ${names} is ignored. Remove it.`);
  }
  const text = lock === undefined ? '' : await readLock(app, lock);
  const carried = family === 'yarn' && (await carriesYarn(app));
  // engines of other managers don't matter: people write sentences there.
  const range = pinned === undefined && !carried ? engineRange(app, family) : undefined;
  const line = lineOfLock(family, text);
  if (lock !== undefined && pinned === undefined && !carried) {
    refuseOtherForm(family, lock, { range, readers: readersOf(family, text) });
  }
  const berry = family === 'yarn' && (carried || isBerry(pinned?.version ?? range, text));
  return {
    name: berry ? 'berry' : family,
    version: pinned?.version ?? range,
    line: line ?? (berry ? '4.x' : undefined),
    pin: pinned?.pin,
    lock,
    carried,
  };
}

function engineRange(app: App, family: 'npm' | 'yarn' | 'pnpm'): string | undefined {
  const text = app.json.engines[family]?.trim();
  if (text === undefined || text === '') return undefined;
  if (normaliseRange(text) !== undefined) return text;
  throw new BuildpackFailure(`engines.${family} in package.json is "${text}", which is not a version range`, {
    next: 'Write a range such as 10.x or >=8, or remove the entry.',
  });
}

/** Managers refuse a lock file of another form, or write it again, so a range that leaves no choice ends here. */
function refuseOtherForm(family: Pinned['family'], lock: string, asked: Asked): void {
  const { range, readers } = asked;
  if (readers === undefined) return;
  if (prerelease(readers) !== null) {
    throw new BuildpackFailure('yarn.lock is of a pre-release of Yarn 4', {
      next: 'Run yarn install with a released Yarn and commit yarn.lock, or name the pre-release in packageManager.',
    });
  }
  if (range === undefined || intersects(normaliseRange(range) ?? '*', readers)) return;
  const name = family === 'yarn' ? 'Yarn' : family;
  throw new BuildpackFailure(`engines.${family} is "${range}", but ${lock} is of ${name} ${readers}`, {
    next: `Run ${family} install with the ${name} that you want and commit ${lock}, or set engines.${family} to ${readers}.`,
  });
}

/** What of a manager is asked for, and what its lock file needs. */
interface Asked {
  readonly range: string | undefined;
  readonly readers: string | undefined;
}

interface Pinned {
  readonly family: 'npm' | 'yarn' | 'pnpm';
  readonly version: string;
  readonly pin: Checksum | undefined;
}

/** `pnpm@10.1.0+sha512.<hex>`, the form that corepack defines. */
function parsePackageManager(field: string | undefined): Pinned | undefined {
  if (field === undefined) return undefined;
  const match = /^(npm|yarn|pnpm)@(\d+\.\d+\.\d+(?:-[\w.]+)?)(?:\+(sha\d+)\.([0-9a-f]+))?$/.exec(field);
  const [, family, version, algorithm, hex] = match ?? [];
  const pin = algorithm === undefined ? undefined : checksum(algorithm, hex ?? '');
  const known = family === 'npm' || family === 'yarn' || family === 'pnpm';
  if (known && version !== undefined && (algorithm === undefined || pin !== undefined)) {
    return { family, version, pin };
  }
  throw new BuildpackFailure(`packageManager in package.json is "${field}"`, {
    next: 'Write npm, yarn or pnpm with an exact version: pnpm@10.1.0, optionally +sha512.<hex>.',
  });
}

async function carriesYarn(app: App): Promise<boolean> {
  const settings = (await readText(join(app.dir, '.yarnrc.yml'))) ?? '';
  return /^yarnPath:/m.test(settings);
}

/** What is pinned decides, then the lock file, then a range that has no Yarn 1 in it. */
function isBerry(wanted: string | undefined, lock: string): boolean {
  if (wanted !== undefined && valid(wanted) !== null) return !/^[01]\./.test(wanted);
  if (lock.trim() !== '') return isBerryLock(lock);
  return wanted !== undefined && !intersects(normaliseRange(wanted) ?? '*', '<2');
}

/**
 * Whether a native module may have to be compiled. Node's headers are 2,800 files, most of the time that installing
 * Node takes, so they are left out where npm's lock file says that no package has an install script.
 */
export async function mayCompile(app: App, manager: Manager): Promise<boolean> {
  if (manager.name !== 'npm' || manager.lock === undefined) return true;
  if (app.files.has('binding.gyp') || app.files.has('node_modules')) return true;
  const lock = (await readText(join(app.dir, manager.lock))) ?? '';
  // Lock files before npm 7 don't say.
  return /"hasInstallScript": true/.test(lock) || !/"lockfileVersion": [23]/.test(lock);
}
