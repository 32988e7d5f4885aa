/** Installs Node and the package managers below deps/<idx>, and says how they are to be called. */
import { chmod, rm } from 'node:fs/promises';
import { intersects, satisfies, valid } from 'semver';
import {
  BuildpackFailure,
  type Dependency,
  defaultRange,
  deprecation,
  hashFile,
  highestMatch,
  normaliseRange,
  type StepContext,
  versionsOf,
} from '../../kit/index.ts';
import type { Manager, ManagerName } from './manager.ts';
import { fromRegistry } from './registry.ts';

/** Folder and program of each manager's package. */
const PROGRAMS = {
  npm: { package: 'npm', bins: { npm: 'bin/npm-cli.js', npx: 'bin/npx-cli.js' } },
  yarn: { package: 'yarn', bins: { yarn: 'bin/yarn.js', yarnpkg: 'bin/yarn.js' } },
  berry: { package: '@yarnpkg/cli-dist', bins: { yarn: 'bin/yarn.js' } },
  pnpm: { package: 'pnpm', bins: { pnpm: 'bin/pnpm.cjs', pnpx: 'bin/pnpx.cjs' } },
} as const;

/** What choosing a version needs. */
export type Chooser = Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose'>;

/** What putting them in place needs. */
type Placing = Chooser & Pick<StepContext, 'dep' | 'dependencies'>;

interface ChosenManager extends Pick<Manager, 'name' | 'pin'> {
  readonly found: Dependency;
}

/**
 * Node itself, with its headers until {@link dropHeaders} where native modules may have to be compiled; npm always, since
 * the app is started with it; the app's own manager besides. All are chosen first, then put in place together.
 */
export async function installRuntime(
  context: Placing,
  manager: Manager,
  { range, headers }: { readonly range: string | undefined; readonly headers: boolean },
): Promise<void> {
  const node = await chooseNode(context, range);
  const managers: ChosenManager[] = [];
  for (const one of managersOf(manager)) {
    managers.push({ name: one.name, found: await choose(context, one, node.version), pin: one.pin });
  }
  // Before the first, so that they begin, and are listed, in this order: what is kept of a staging goes by the list.
  for (const { name } of managers) await rm(homeOf(context, name), { recursive: true, force: true });
  const placing = [placeNode(context, node, headers), ...managers.map((one) => placeManager(context, one))];
  // One that fails does not leave another at work.
  for (const placed of await Promise.allSettled(placing))
    if (placed.status === 'rejected') throw placed.reason;
}

async function placeNode({ dep, dependencies }: Placing, node: Dependency, headers: boolean): Promise<void> {
  const only = ['bin/node', 'LICENSE', ...(headers ? ['include'] : [])];
  await dependencies.install(node, dep.at('node'), { strip: 1, only });
  await chmod(dep.at('node/bin/node'), 0o755);
  await dep.linkBin('node', dep.at('node/bin/node'));
}

/** What the manifest has first; any other version straight from the registry. */
export async function chooseNode(context: Chooser, range: string | undefined): Promise<Dependency> {
  const { manifest, env, log } = context;
  const listed = versionsOf(manifest, 'node', { stack: env['CF_STACK'] ?? '', arch: process.arch });
  const known = range === undefined || highestMatch(range, listed) !== undefined;
  if (known || isOffline(context)) return context.choose('node', range);
  const wish = { package: `node-linux-${process.arch}`, what: 'node', ranges: [range] };
  const found = await fromRegistry(wish, env);
  log.info(`node ${found.version} is not in the manifest; taken from the registry`);
  const ending = deprecation(manifest, found, new Date());
  if (ending !== undefined) log.warning(ending);
  return found;
}

/** A buildpack that has its dependencies inside asks no registry. */
function isOffline({ manifest }: Chooser): boolean {
  return manifest.dependencies.some(({ file }) => file !== undefined);
}

/** npm and the app's own, where it is another. */
function managersOf(manager: Manager): readonly Manager[] {
  const any = { version: undefined, line: undefined, pin: undefined, carried: false };
  if (manager.name === 'npm') return [manager];
  // Yarn 1 hands over to the release that the app carries.
  const own = manager.carried ? { ...manager, ...any, name: 'yarn' as const } : manager;
  return [{ ...manager, ...any, name: 'npm' }, own];
}

/** Headers are megabytes that no running app needs. */
export async function dropHeaders(context: StepContext): Promise<void> {
  await rm(context.dep.at('node/include'), { recursive: true, force: true });
}

const homeOf = ({ dep }: Placing, name: ManagerName): string =>
  dep.at('node/lib/node_modules', PROGRAMS[name].package);

async function placeManager(context: Placing, { name, found, pin }: ChosenManager): Promise<void> {
  const { dep, dependencies } = context;
  const program = PROGRAMS[name];
  const home = homeOf(context, name);
  await dependencies.install(found, home, { strip: 1 });
  if (pin !== undefined && name === 'berry') {
    // As corepack does: for Yarn 2 and later the pin is of the program, not of the package.
    const actual = await hashFile(`${home}/bin/yarn.js`, pin.algorithm);
    if (actual !== pin.digest) throw pinBroken(found, actual);
  }
  for (const [bin, script] of Object.entries(program.bins)) {
    await chmod(`${home}/${script}`, 0o755);
    await dep.linkBin(bin, `${home}/${script}`);
  }
}

async function choose(context: Chooser, manager: Manager, node: string): Promise<Dependency> {
  const name = manager.name === 'berry' ? 'yarn' : manager.name;
  const found = await chooseVersion(context, manager, { name, node });
  if (manager.name === 'berry') refuseYarn30(found.version, node);
  if (manager.pin === undefined || manager.name === 'berry') return found;
  return { ...found, checksum: manager.pin };
}

/**
 * Inside the wanted range: first what reads the lock file, or the buildpack's own choice where any does; only then
 * the highest. What the manifest has comes before what the registry has.
 */
export async function chooseVersion(
  context: Chooser,
  manager: Manager,
  { name, node }: { readonly name: string; readonly node: string },
): Promise<Dependency> {
  const { manifest, env, log } = context;
  const wanted = manager.version ?? '*';
  const listed = versionsOf(manifest, name, {
    stack: env['CF_STACK'] ?? '',
    arch: process.arch,
    with: { node },
  });
  const usual = manager.line ?? defaultRange(manifest, name);
  const among = (range: string) => listed.filter((version) => highestMatch(range, [version]) !== undefined);
  const both = listed.includes(wanted) ? wanted : highestMatch(wanted, among(usual));
  if (both !== undefined) return context.choose(name, both, { node });
  const readsLock = manager.line !== undefined && intersects(normaliseRange(wanted) ?? '*', manager.line);
  const alone = readsLock ? undefined : highestMatch(wanted, listed);
  if (alone !== undefined || isOffline(context)) {
    return context.choose(name, alone ?? (readsLock ? usual : wanted), { node });
  }
  const found = await fromRegistry(
    {
      package: PROGRAMS[manager.name].package,
      what: name,
      ranges: readsLock ? [wanted, usual] : [wanted],
      // An exact version is what somebody wants, whatever it says of Node.
      ...(valid(wanted) === null && { node }),
    },
    env,
  );
  log.info(`${name} ${found.version} is not in the manifest; taken from the registry`);
  return found;
}

/** @throws BuildpackFailure for a Yarn whose downloads all end with "Premature close" on this Node. */
export function refuseYarn30(yarn: string, node: string): void {
  if (!satisfies(yarn, '3.0.x') || satisfies(node, '<17')) return;
  throw new BuildpackFailure(`Yarn ${yarn}, which wrote yarn.lock, can't download anything on Node ${node}`, {
    next: 'Run yarn set version 3.8.7 and yarn install, and commit what they change; or use Node 16.',
  });
}

function pinBroken(found: Dependency, actual: string): BuildpackFailure {
  return new BuildpackFailure(
    `yarn ${found.version} is not the one that packageManager pins: its checksum is ${actual}`,
    { next: 'Correct the checksum in package.json, or check the registry mirror.' },
  );
}
