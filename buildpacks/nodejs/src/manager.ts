/** Which package manager an app uses, and which version of it. */
import { join } from 'node:path';
import { BuildpackFailure, type Checksum, checksum, type Log } from '../../kit/index.ts';
import { type App, readText } from './package-json.ts';

/** Yarn before and after version 2 share a name and little else. */
export type ManagerName = 'npm' | 'yarn' | 'berry' | 'pnpm';

/** What was decided. */
export interface Manager {
  readonly name: ManagerName;
  /** Exact version that the app pins with packageManager, or a range; undefined: the manifest's default. */
  readonly version: string | undefined;
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
 * @throws BuildpackFailure for a packageManager that can't be understood.
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
  const text = lock === undefined ? '' : ((await readText(join(app.dir, lock))) ?? '');
  const carried = family === 'yarn' && (await carriesYarn(app));
  const berry = family === 'yarn' && (carried || isBerry(pinned?.version, text));
  return {
    name: berry ? 'berry' : family,
    version: pinned?.version ?? app.json.engines[family] ?? impliedRange(family, berry, text),
    pin: pinned?.pin,
    lock,
    carried,
  };
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

function isBerry(version: string | undefined, lock: string): boolean {
  return version === undefined ? /^__metadata:/m.test(lock) : !/^[01]\./.test(version);
}

/** The line of a manager that wrote this form of lock file. */
function impliedRange(family: string, berry: boolean, lock: string): string | undefined {
  if (family === 'pnpm') {
    const format = Number.parseFloat(/^lockfileVersion: '?([\d.]+)/m.exec(lock)?.[1] ?? '9');
    return format < 9 ? '8.x' : undefined;
  }
  if (!berry) return undefined;
  const format = Number.parseInt(/^__metadata:\s+version: (\d+)/m.exec(lock)?.[1] ?? '8', 10);
  return format < 8 ? '3.x' : '4.x';
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
