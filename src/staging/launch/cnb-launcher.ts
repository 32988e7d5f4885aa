/**
 * Starts what a droplet of Cloud Native Buildpacks holds, by the rules of their launcher (buildpack-contracts.md 5.10):
 * variables of layers, `exec.d` programs, profile scripts, processes with and without a shell.
 */

import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ownedDirectory } from '../../machine/host/owner.ts';
import { readSmall } from '../../machine/host/read-small.ts';
import { StagerError } from '../../words/errors.ts';
import { newGuid } from '../../words/ids.ts';
import { shellQuote } from '../../words/shell.ts';
import { addLayerRoots, applyEnvFiles, type CnbEnvironment, readEnvFiles } from '../cnb/cnb-env.ts';
import { CNB_INSIDE, CnbHome } from '../cnb/cnb-home.ts';
import {
  launchEnvDirectories,
  launchFiles,
  launchLayers,
  type UnpackedCnbDroplet,
} from '../cnb/cnb-launch-layers.ts';
import {
  CNB_METADATA,
  type CnbMetadata,
  type LaunchedProcess,
  processText,
  readCnbMetadata,
} from '../cnb/cnb-metadata.ts';
import { parseToml } from '../cnb/cnb-toml.ts';
import { exitCodeOf } from './exit-code.ts';
import type { Launcher, LauncherIo, ToLaunch } from './launcher.ts';
import type { RunDirs } from './layout.ts';
import { BASH } from './start-script.ts';

/** Exit status of the launcher for what can't be launched. */
const LAUNCH_FAILED = 82;

/** The launcher of the droplet in `dirs`, when it is one of Cloud Native Buildpacks. @throws StagerError DROPLET_INVALID. */
export async function cnbLauncher(dirs: RunDirs, io: LauncherIo): Promise<Launcher | undefined> {
  // Whoever looks for a droplet of the other kind says what is missing.
  if (!(await isThere(dirs.home))) return undefined;
  const home = new CnbHome(dirs.home, 'DROPLET_INVALID');
  const text = await home.text(CNB_METADATA);
  if (text === undefined) return undefined;
  const metadata = readCnbMetadata(text);
  for (const directory of [CNB_INSIDE.app, CNB_INSIDE.layers]) {
    await home.real(directory);
    if (await home.isDirectory(directory)) continue;
    throw new StagerError('DROPLET_INVALID', `the droplet has no directory ${directory}`, {
      next: 'Stage the app again.',
    });
  }
  await ownedDirectory(dirs.tmp, io.owner, 0o1777);
  return {
    processTypes: Object.fromEntries(metadata.processes.map((it) => [it.type, processText(it)])),
    info: {},
    ...PLACE,
    prepare: async (what) => await prepare(what, { home, metadata, tmp: dirs.tmp, run: io.run }),
  };
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

const PLACE = { cwd: CNB_INSIDE.app, links: {} } as const;

interface Droplet extends UnpackedCnbDroplet {
  readonly tmp: string;
  readonly run: LauncherIo['run'];
}

async function prepare(what: ToLaunch, droplet: Droplet) {
  const process = cnbProcessFor(droplet.metadata, what);
  // A process has no dependencies beside its layers, and its home is not the app's directory.
  const given = Object.entries(what.env).filter(([name]) => !NOT_PASSED.has(name));
  const base = { ...Object.fromEntries(given), HOME: CNB_INSIDE.home };
  const env = await launchEnvironment(base, process.type, droplet);
  for (const program of await launchFiles('exec.d', process.type, droplet))
    await execD(program, env, { what, droplet });
  const profiles = process.direct ? [] : await launchFiles('profile.d', process.type, droplet);
  const argv = cnbArgv(process, [...profiles, `${CNB_INSIDE.app}/.profile`]);
  return { argv, env: Object.fromEntries(env) };
}

/** Of the other kind of droplet, and what is said to the launcher only. */
const NOT_PASSED: ReadonlySet<string> = new Set([
  'DEPS_DIR',
  'TMPDIR',
  'CNB_LAYERS_DIR',
  'CNB_APP_DIR',
  'CNB_PROCESS_TYPE',
  'CNB_PLATFORM_API',
  'CNB_DEPRECATION_MODE',
]);

/** A process, or shell text that belongs to none. */
type Launched = Omit<LaunchedProcess, 'type' | 'buildpack'> & { readonly type?: string };

/** The process of the wanted type, or the first one, whose text the command is; else a command of its own. */
export function cnbProcessFor(
  { processes }: CnbMetadata,
  { command, type }: Pick<ToLaunch, 'command' | 'type'>,
): Launched {
  const same = processes.filter((process) => processText(process) === command);
  return same.find((it) => it.type === type) ?? same[0] ?? { command: [command], args: [], direct: false };
}

/** Program and arguments of a process whose environment is complete. */
export function cnbArgv(process: Launched, profiles: readonly string[]): readonly [string, ...string[]] {
  const { command, args, direct, workingDir = CNB_INSIDE.app } = process;
  if (direct) return [BASH, '-c', DIRECT, 'launcher', workingDir, ...command, ...args];
  const script = [
    ...profiles.map((file) => `if [ -f ${shellQuote(file)} ]; then source ${shellQuote(file)}; fi`),
    `cd ${shellQuote(workingDir)} || exit ${LAUNCH_FAILED}`,
    args.length === 0 ? 'exec bash -c "$@"' : tokens(args.length),
  ].join('\n');
  return [BASH, '-c', script, 'launcher', command.join(' '), ...args];
}

/** No shell has a part in it: the program is looked for in the final PATH, and takes the place of this one. */
const DIRECT = `type -P -- "$2" >/dev/null || { echo "$2 is not a program of the final PATH" >&2; exit ${LAUNCH_FAILED}; }
cd -- "$1" || exit ${LAUNCH_FAILED}
shift; unset OLDPWD; exec -- "$@"`;

/** Every word is expanded by the shell, and stays one word. */
function tokens(count: number): string {
  const words = Array.from({ length: count }, (_, index) => ` "$(eval echo \\"\${${index + 1}}\\")"`);
  return `exec bash -c '"$(eval echo \\"$0\\")"${words.join('')}' "\${@:1}"`;
}

async function launchEnvironment(
  base: Readonly<Record<string, string>>,
  type: string | undefined,
  droplet: Droplet,
): Promise<CnbEnvironment> {
  const { home } = droplet;
  const env = new Map(Object.entries(base));
  for (const layers of await launchLayers(droplet)) {
    for (const layer of layers) await addLayerRoots(env, { home, layer }, 'launch');
    for (const layer of layers) {
      for (const directory of launchEnvDirectories(type))
        applyEnvFiles(env, await readEnvFiles(home, `${layer}/${directory}`));
    }
  }
  return env;
}

const Variables = z.record(z.string().regex(/^[^=\0]+$/), z.string().regex(/^[^\0]*$/));

/** Runs one program; what it writes to descriptor 3 replaces variables. @throws StagerError DROPLET_INVALID when it fails. */
async function execD(
  program: string,
  env: CnbEnvironment,
  { what, droplet }: { readonly what: ToLaunch; readonly droplet: Droplet },
): Promise<void> {
  const name = `.stager-exec-d-${newGuid()}`;
  const written = join(droplet.tmp, name);
  const argv = [BASH, '-c', 'exec 3>"$0" && exec "$1"', `/tmp/${name}`, program] as const;
  try {
    const { outcome } = await droplet.run({ argv, env: Object.fromEntries(env) }, { ...what, place: PLACE });
    const code = outcome.kind === 'not-started' ? outcome.reason : exitCodeOf(outcome);
    if (code !== 0) throw failed(program, `ended with ${code}`);
    const file = await readSmall(written, droplet.tmp);
    if (file.kind === 'unusable') throw failed(program, `wrote what can't be read: ${file.reason}`);
    const read = parseToml(file.kind === 'text' ? file.text : '');
    if (!read.ok) throw failed(program, `wrote what is not TOML: ${read.reason}`);
    const variables = Variables.safeParse(read.value);
    if (!variables.success) throw failed(program, 'wrote something other than texts by name');
    for (const [key, value] of Object.entries(variables.data)) env.set(key, value);
  } finally {
    await rm(written, { force: true });
  }
}

function failed(program: string, why: string): StagerError {
  return new StagerError('DROPLET_INVALID', `${program} ${why}, so the process was not started`, {
    next: 'Its own output says why; report it to the authors of the buildpack.',
    phase: 'launch',
    details: { program },
  });
}
