/**
 * Compile, export, release and report of Heroku's classic family (buildpack-contracts.md 4.1 to 4.5).
 */

import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { isStagerError } from '../../../words/errors.ts';
import { quotedWord } from '../../../words/shell.ts';
import { familyPaths } from '../contract/contract.ts';
import { entriesOf, type ProcessEntry } from '../contract/process-list.ts';
import type { StagedBuildpack } from '../contract/staged.ts';
import { release } from './cloud-foundry.ts';
import { outcomePhrase } from './failure.ts';
import { type BuildpackOutput, hasScript, mustRun, phaseOf, type Session, start, warn } from './session.ts';

type Variables = Readonly<Record<string, string>>;

/**
 * Runs each buildpack of the order: compile with the exports of those before it, then its release, which sees none.
 * Of several releases with process types the last wins.
 *
 * @throws StagerError COMPILE_FAILED, RELEASE_FAILED, and the limits' own codes.
 */
export async function runHeroku(
  session: Session,
  order: readonly StagedBuildpack[],
): Promise<BuildpackOutput> {
  let env: Variables = session.env.processEnv('heroku');
  let processes: readonly ProcessEntry[] = [];
  const configVars = new Map<string, string>();
  const addons: string[] = [];
  for (const [place, buildpack] of order.entries()) {
    await compile(session, buildpack, env);
    if (place < order.length - 1) env = await withExports(session, buildpack, env);
    if (!(await hasScript(buildpack, 'release'))) continue;
    const output = await release(session, buildpack);
    if (output.processTypes.size > 0) processes = entriesOf(output.processTypes);
    for (const [name, value] of output.configVars) configVars.set(name, value);
    addons.push(...output.addons);
  }
  await writeConfigVars(session, order, configVars);
  return { processes, configVars, addons };
}

async function compile(session: Session, buildpack: StagedBuildpack, env: Variables): Promise<void> {
  const phase = phaseOf('compile', buildpack);
  try {
    await session.phases.run(phase, () =>
      mustRun(session, buildpack, 'compile', { phase, env, code: 'COMPILE_FAILED' }),
    );
  } catch (error) {
    // The report is for success and failure, but not for a staging that is being taken down.
    if (isStagerError(error, 'COMPILE_FAILED')) await report(session, buildpack);
    throw error;
  }
  await report(session, buildpack);
}

/** Facts about the build for the platform; whatever it does, the staging continues. */
async function report(session: Session, buildpack: StagedBuildpack): Promise<void> {
  if (!(await hasScript(buildpack, 'report'))) return;
  await start(session, buildpack, 'report', { phase: phaseOf('compile', buildpack), capture: true });
}

/** Sources the file without -e and -u, since it refers to variables that may be unset, and prints the result. */
const SNAPSHOT = 'set +eu; . "$1" >&2; exec /usr/bin/env -0';

/** Variables that belong to the shell that took the snapshot. */
const SHELL_OWN = new Set(['_', 'SHLVL', 'PWD', 'OLDPWD']);

/** `env` as it is after `<buildpack>/export` was sourced; the same when there is none. */
async function withExports(session: Session, buildpack: StagedBuildpack, env: Variables): Promise<Variables> {
  const facts = await lstat(join(buildpack.hostRoot, 'export')).catch(() => undefined);
  if (facts?.isFile() !== true) return env;
  const phase = phaseOf('compile', buildpack);
  const path = `${buildpack.insideRoot}/export`;
  const { report, stdout, truncated } = await session.runner.run({
    phase,
    script: 'export',
    argv: ['/bin/bash', '--norc', '--noprofile', '-c', SNAPSHOT, 'export', path],
    cwd: buildpack.insideRoot,
    env,
    links: familyPaths(buildpack.family).links,
    capture: true,
  });
  if (report.outcome.kind !== 'exited' || report.outcome.code !== 0 || truncated) {
    const why = truncated ? 'more than 1 MiB of variables' : outcomePhrase(report.outcome);
    warn(session, {
      code: 'export-ignored',
      message: `export of ${buildpack.name} could not be sourced (${why}); the next buildpack does not see it`,
      phase,
    });
    return env;
  }
  return Object.fromEntries(
    stdout
      .toString('utf8')
      .split('\0')
      .map((line): readonly [string, string] => {
        const equals = line.indexOf('=');
        return [line.slice(0, Math.max(equals, 0)), line.slice(equals + 1)];
      })
      .filter(([name]) => name !== '' && !SHELL_OWN.has(name)),
  );
}

/**
 * Makes the buildpacks' config vars defaults of the running app. Heroku stores them at the first deploy; a droplet has
 * no such place, so they go where herokuish puts them, and never win over a variable that is set.
 */
async function writeConfigVars(
  session: Session,
  order: readonly StagedBuildpack[],
  configVars: ReadonlyMap<string, string>,
): Promise<void> {
  const lines = [...configVars]
    .filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    .map(([name, value]) => `[ -n "\${${name}+set}" ] || export ${name}=${quotedWord(value)}\n`);
  const last = order.at(-1);
  if (lines.length === 0 || last === undefined) return;
  // In the sandbox: a script may have made .profile.d a link to anywhere.
  const { report } = await session.runner.run({
    phase: phaseOf('release', last),
    script: 'config_vars',
    argv: ['/bin/bash', '--norc', '--noprofile', '-c', WRITE_CONFIG_VARS, 'config_vars', lines.join('')],
    cwd: familyPaths('heroku').buildDir,
    env: session.env.processEnv('heroku'),
    links: familyPaths('heroku').links,
  });
  if (report.outcome.kind === 'exited' && report.outcome.code === 0) return;
  warn(session, {
    code: 'config-vars-ignored',
    message: `the config vars of bin/release could not be written to .profile.d (${outcomePhrase(report.outcome)})`,
  });
}

const WRITE_CONFIG_VARS = 'mkdir -p .profile.d && printf %s "$1" > .profile.d/00_config_vars.sh';
