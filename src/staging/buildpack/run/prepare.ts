/** Makes a workspace ready for the scripts that build: detect if asked, copies of the buildpacks, their cache. */
import { StagerError } from '../../../words/errors.ts';
import { reclaim } from '../../workspace/own.ts';
import {
  prepareCache,
  prepareWorkspace,
  type ResolvedBuildpack,
  type StagedBuildpack,
  stageBuildpack,
  writeEnvDir,
} from '../contract/staged.ts';
import { type DetectTry, detect, nothingDetected } from './detect.ts';
import { secretFilter } from './output.ts';
import type { OrderPorts, RunInput } from './run-buildpacks.ts';
import { ScriptRunner } from './run-script.ts';
import type { Session } from './session.ts';

/** How far a run of an order has come; a failure reports it. */
export interface Progress {
  selected: readonly StagedBuildpack[];
  detectOutput?: string;
  tries?: readonly DetectTry[];
  /** The last buildpack's own scripts have begun: from here on a failure has a result.json. */
  finalStarted: boolean;
}

/** What the scripts of one order share. */
export function openSession(input: RunInput, ports: OrderPorts): Session {
  return {
    runner: new ScriptRunner({ ...input, owner: input.build, filter: secretFilter(input.secrets) }, ports),
    env: input.env,
    phases: ports.phases,
    trace: input.trace === true,
    warnings: [],
  };
}

/**
 * Chooses the buildpacks and lays everything out as their first script finds it.
 *
 * @throws StagerError NO_APP_DETECTED, USAGE for families that don't mix, and those of detect.
 */
export async function prepareOrder(
  input: RunInput,
  session: Session,
  progress: Progress,
): Promise<readonly StagedBuildpack[]> {
  refuseMixedOrder(input);
  const { signal, sandbox } = session.runner.ports;
  const { owner } = sandbox;
  const count = input.mode === 'detect' ? 1 : input.order.length;
  await prepareWorkspace(input.workspace, count, { owner, signal });
  const selected = await select(input, session, progress);
  progress.selected = selected;
  // Scripts of detect have run.
  await reclaim(input.workspace, input.workspace.cache, owner);
  await input.restoreCache?.(selected);
  await prepareCache(input.workspace, selected, owner);
  return selected;
}

/** The buildpacks that will build, copied into the workspace. */
async function select(
  input: RunInput,
  session: Session,
  progress: Progress,
): Promise<readonly StagedBuildpack[]> {
  const { signal, sandbox } = session.runner.ports;
  const { owner } = sandbox;
  if (input.mode === 'explicit') {
    const staged: StagedBuildpack[] = [];
    for (const [position, it] of input.order.entries()) {
      const place = { position, count: input.order.length, owner, signal };
      staged.push(await stageBuildpack(input.workspace, it, place));
    }
    return staged;
  }
  if (input.order.some((it) => it.family === 'heroku')) {
    await writeEnvDir(input.workspace, input.env.configVars('heroku'), owner);
  }
  const bring = (it: ResolvedBuildpack) =>
    stageBuildpack(input.workspace, it, { position: 0, count: 1, owner, signal });
  return await session.phases.run(
    { name: 'detect' },
    async () => {
      const { winner, tries } = await detect(session, input.order, bring);
      progress.tries = tries;
      if (winner === undefined) throw nothingDetected(tries);
      progress.detectOutput = winner.output;
      return [winner.buildpack];
    },
    ([winner]) => winner?.name,
  );
}

/** One staging has one BUILD_DIR and one way to deliver variables, so an order has one family. */
function refuseMixedOrder(input: RunInput): void {
  if (input.mode === 'detect') return;
  const heroku = input.order.filter((it) => it.family === 'heroku').map((it) => it.key);
  if (heroku.length === 0 || heroku.length === input.order.length) return;
  const cf = input.order.filter((it) => it.family !== 'heroku').map((it) => it.key);
  throw new StagerError(
    'USAGE',
    `one staging can't mix buildpack families: Heroku: ${heroku.join(', ')}; Cloud Foundry: ${cf.join(', ')}`,
    {
      next: 'Use buildpacks of one family, or choose one with --buildpack-api cf|heroku.',
      details: { heroku, cf },
    },
  );
}
