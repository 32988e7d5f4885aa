/** The files that tell the launcher of an image what counts for each process: variables, programs, profile scripts. */
import { shellQuote } from '../../words/shell.ts';
import { envChanges, layerRoots, readEnvFiles } from '../cnb/cnb-env.ts';
import { CNB_INSIDE } from '../cnb/cnb-home.ts';
import {
  launchEnvDirectories,
  launchFiles,
  launchLayers,
  type UnpackedCnbDroplet,
} from '../cnb/cnb-launch-layers.ts';
import type { LaunchedProcess } from '../cnb/cnb-metadata.ts';

/** From this API on the arguments of a user replace those of a process. */
const REPLACING_API = 9;

/** Text of the file of a process; without one, of what counts for any command. */
export async function launchText(
  process: LaunchedProcess | undefined,
  droplet: UnpackedCnbDroplet,
): Promise<string> {
  const type = process?.type;
  const profiles = process?.direct === true ? [] : await launchFiles('profile.d', type, droplet);
  return [
    `variables() {\n:\n${await variables(type, droplet)}}`,
    words('_programs', await launchFiles('exec.d', type, droplet)),
    words('_profiles', profiles),
    ...(process === undefined ? [] : processLines(process, droplet)),
    '',
  ].join('\n');
}

function processLines(process: LaunchedProcess, { metadata }: UnpackedCnbDroplet): readonly string[] {
  const { command, args, direct, workingDir = CNB_INSIDE.app } = process;
  const [program = '', ...fixed] = command;
  const api = metadata.buildpacks.find(({ id }) => id === process.buildpack)?.api ?? REPLACING_API;
  return [
    `_command=${shellQuote(program)}`,
    words('_fixed', fixed),
    words('_args', args),
    `_appends=${fixed.length === 0 && api < REPLACING_API ? '1' : ''}`,
    `_direct=${direct ? '1' : ''}`,
    `_directory=${shellQuote(workingDir)}`,
  ];
}

const words = (name: string, list: readonly string[]): string =>
  `${name}=(${list.map(shellQuote).join(' ')})`;

async function variables(type: string | undefined, droplet: UnpackedCnbDroplet): Promise<string> {
  const { home } = droplet;
  const lines: string[] = [];
  for (const layers of await launchLayers(droplet)) {
    for (const layer of layers) {
      for (const { name, path } of await layerRoots({ home, layer }, 'launch'))
        lines.push(`prepend ${name} ${shellQuote(path)} :`);
    }
    for (const layer of layers) {
      for (const directory of launchEnvDirectories(type)) {
        for (const { action, name, value, delim } of envChanges(
          await readEnvFiles(home, `${layer}/${directory}`),
        )) {
          // A shell can't set the others; the reference launcher would.
          if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
            lines.push(`${action} ${name} ${shellQuote(value)} ${shellQuote(delim)}`);
        }
      }
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}
