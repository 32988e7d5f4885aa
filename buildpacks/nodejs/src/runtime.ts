/** Installs Node and the package managers below deps/<idx>, and says how they are to be called. */
import { chmod, rm } from 'node:fs/promises';
import {
  BuildpackFailure,
  type Dependency,
  hashFile,
  highestMatch,
  type StepContext,
  versionsOf,
} from '../../kit/index.ts';
import type { Manager } from './manager.ts';
import { fromRegistry } from './registry.ts';

/** Folder and program of each manager's package. */
const PROGRAMS = {
  npm: { package: 'npm', bins: { npm: 'bin/npm-cli.js', npx: 'bin/npx-cli.js' } },
  yarn: { package: 'yarn', bins: { yarn: 'bin/yarn.js', yarnpkg: 'bin/yarn.js' } },
  berry: { package: '@yarnpkg/cli-dist', bins: { yarn: 'bin/yarn.js' } },
  pnpm: { package: 'pnpm', bins: { pnpm: 'bin/pnpm.cjs', pnpx: 'bin/pnpx.cjs' } },
} as const;

/** Node itself; with its headers until {@link dropHeaders} where native modules may have to be compiled. */
export async function installNode(
  context: StepContext,
  range: string | undefined,
  headers: boolean,
): Promise<string> {
  const { dep, dependencies } = context;
  const node = context.choose('node', range);
  const keep = headers ? /^(bin\/node|include\/|LICENSE)/ : /^(bin\/node|LICENSE)/;
  await dependencies.install(node, dep.at('node'), {
    strip: 1,
    pick: (path) => (keep.test(path) ? path : undefined),
  });
  await chmod(dep.at('node/bin/node'), 0o755);
  await dep.linkBin('node', dep.at('node/bin/node'));
  return node.version;
}

/** npm always, since the app is started with it; the app's own manager besides. */
export async function installManagers(
  context: StepContext,
  manager: Manager,
  npmRange: string | undefined,
  node: string,
): Promise<void> {
  const forNpm =
    manager.name === 'npm' ? manager : { ...manager, name: 'npm', version: npmRange, pin: undefined };
  await installOne(context, { ...forNpm, name: 'npm', carried: false }, node);
  if (manager.name === 'npm') return;
  // Yarn 1 hands over to the release that the app carries.
  const own = manager.carried
    ? { ...manager, name: 'yarn' as const, version: '1.x', pin: undefined }
    : manager;
  await installOne(context, own, node);
}

/** Headers are megabytes that no running app needs. */
export async function dropHeaders(context: StepContext): Promise<void> {
  await rm(context.dep.at('node/include'), { recursive: true, force: true });
}

async function installOne(context: StepContext, manager: Manager, node: string): Promise<void> {
  const { dep } = context;
  const program = PROGRAMS[manager.name];
  const found = await choose(context, manager, node);
  const home = dep.at('node/lib/node_modules', program.package);
  await rm(home, { recursive: true, force: true });
  await context.dependencies.install(found, home, { strip: 1 });
  if (manager.pin !== undefined && manager.name === 'berry') {
    // As corepack does: for Yarn 2 and later the pin is of the program, not of the package.
    const actual = await hashFile(`${home}/bin/yarn.js`, manager.pin.algorithm);
    if (actual !== manager.pin.digest) throw pinBroken(found, actual);
  }
  for (const [name, script] of Object.entries(program.bins)) {
    await chmod(`${home}/${script}`, 0o755);
    await dep.linkBin(name, `${home}/${script}`);
  }
}

async function choose(context: StepContext, manager: Manager, node: string): Promise<Dependency> {
  const name = manager.name === 'berry' ? 'yarn' : manager.name;
  const range = manager.version;
  if (range === undefined) return context.choose(name, undefined, { node });
  const fit = { stack: context.env['CF_STACK'] ?? '', arch: process.arch, with: { node } };
  const listed = versionsOf(context.manifest, name, fit);
  const known = highestMatch(range, listed) !== undefined;
  const found = known
    ? context.choose(name, range, { node })
    : await fromRegistry(PROGRAMS[manager.name].package, range, context.env);
  if (!known) context.log.info(`${name} ${found.version} is not in the manifest; taken from the registry`);
  if (manager.pin === undefined || manager.name === 'berry') return found;
  return { ...found, checksum: manager.pin };
}

function pinBroken(found: Dependency, actual: string): BuildpackFailure {
  return new BuildpackFailure(
    `yarn ${found.version} is not the one that packageManager pins: its checksum is ${actual}`,
    { next: 'Correct the checksum in package.json, or check the registry mirror.' },
  );
}
