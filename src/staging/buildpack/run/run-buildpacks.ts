/**
 * Runs an order of buildpacks over a workspace: detect if asked, then supply and finalize, compile, release, and reads
 * back what they left. What a script does wrong is an outcome; result.json is part of a failed one as well.
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readSmall } from '../../../machine/host/read-small.ts';
import type { NetworkKind } from '../../../machine/sandbox/port/network.ts';
import type { Mount, Rootfs, SandboxLimits } from '../../../machine/sandbox/port/sandbox.ts';
import { isStagerError, StagerError } from '../../../words/errors.ts';
import type { Guid } from '../../../words/ids.ts';
import type { Phases } from '../../../words/phases.ts';
import type { ResultBuildpack, ResultJson } from '../../../words/result.ts';
import type { BuildpackRecord } from '../../../words/staging-record.ts';
import { meantName } from '../../source/meant-name.ts';
import type { Workspace } from '../../workspace/layout.ts';
import type { Family } from '../contract/contract.ts';
import { buildpackMetadata, resultJson, stagingInfo } from '../contract/metadata.ts';
import { entriesOf, mergeProcesses, type ProcessEntry, processOutcome } from '../contract/process-list.ts';
import { parseProcfile, parseProcfileLines } from '../contract/processes.ts';
import {
  type OrderMode,
  type ResolvedBuildpack,
  type StagedBuildpack,
  writeEnvDir,
} from '../contract/staged.ts';
import { buildpackProcesses, finalizeLast, supplyAll } from './cloud-foundry.ts';
import { type DetectTry, nothingDetected } from './detect.ts';
import type { StagingEnvironment } from './env.ts';
import { runHeroku } from './heroku.ts';
import { openSession, type Progress, prepareOrder } from './prepare.ts';
import type { Peaks, ScriptPorts } from './run-script.ts';
import { type BuildpackOutput, phaseOf, type Session, warn } from './session.ts';

/** What to run, and where. */
export interface RunInput {
  /** Guid of the staging; sandboxes belong to it. */
  readonly build: Guid;
  /** Holds the app already. */
  readonly workspace: Workspace;
  readonly order: readonly ResolvedBuildpack[];
  readonly mode: OrderMode;
  readonly rootfs: Rootfs;
  readonly env: StagingEnvironment;
  /** `wallMs` is the time that all scripts may take together. */
  readonly limits: SandboxLimits;
  readonly network: NetworkKind;
  /** Values that must not show in output. */
  readonly secrets: readonly string[];
  /** Run shell buildpacks with `-x`. */
  readonly trace?: boolean;
  /** A Node binary of the host for buildpacks that are written with the kit. */
  readonly kitNode?: string;
  /** What scripts see besides; asked before each. */
  readonly moreMounts?: () => readonly Mount[];
  /**
   * Fills the workspace's cache for the buildpacks that were chosen; called once, after detect and before the scripts
   * that see the cache.
   */
  readonly restoreCache?: (selected: readonly ResolvedBuildpack[]) => Promise<void>;
}

/** Ports of {@link runBuildpacks}. */
export interface OrderPorts extends ScriptPorts {
  readonly phases: Phases;
}

interface Facts {
  readonly peaks: Peaks;
  readonly warnings: readonly string[];
  /** The table of detect; absent when the order was given. */
  readonly tries?: readonly DetectTry[];
  /** The buildpacks that were used, in order; empty when none was detected. */
  readonly buildpacks: readonly BuildpackRecord[];
}

/** How it went. */
export type BuildpacksOutcome =
  | (Facts & {
      readonly kind: 'staged';
      readonly result: ResultJson;
      /** Content of staging_info.yml. */
      readonly stagingInfo: string;
      /** Heroku: defaults for config vars, and addons, as `bin/release` named them. */
      readonly configVars: Readonly<Record<string, string>>;
      readonly addons: readonly string[];
    })
  | (Facts & {
      readonly kind: 'failed';
      readonly error: StagerError;
      /** Written as result.json when a last buildpack's scripts or a Procfile failed, as the original does. */
      readonly result?: ResultJson;
    });

/**
 * Runs the order.
 *
 * @returns what came out; failures of apps, buildpacks and limits are outcomes.
 * @throws only what is not a StagerError: a bug.
 */
export async function runBuildpacks(input: RunInput, ports: OrderPorts): Promise<BuildpacksOutcome> {
  const session = openSession(input, ports);
  const progress: Progress = { selected: [], finalStarted: false };
  const facts = (): Facts => ({
    peaks: session.runner.peaks,
    warnings: session.warnings,
    ...(progress.tries !== undefined && { tries: progress.tries }),
    buildpacks: progress.selected.map((it) => record(it)),
  });
  try {
    const staged = await run(input, session, progress);
    return { kind: 'staged', ...facts(), ...staged };
  } catch (error) {
    if (!isStagerError(error)) throw error;
    const result = progress.finalStarted ? resultJson(await metadata(input, progress), undefined) : undefined;
    return { kind: 'failed', ...facts(), error, ...(result !== undefined && { result }) };
  }
}

async function run(input: RunInput, session: Session, progress: Progress) {
  const selected = await prepareOrder(input, session, progress);
  const family = selected.at(-1)?.family ?? 'cf-v2';
  const built =
    family === 'heroku'
      ? await buildHeroku(input, session, progress)
      : await buildCloudFoundry(session, progress);
  const own = await procfile(input, family);
  const outcome = processOutcome(mergeProcesses(built.processes, own));
  const odd = [...emptyTypes(outcome.processTypes), ...(own.length === 0 ? await misnamed(input) : [])];
  for (const text of odd) warn(session, { code: 'procfile', message: text });
  noteMissingWeb(session, outcome.processTypes['web'], selected);
  const buildpacks = await metadata(input, progress);
  return {
    result: resultJson(buildpacks, outcome),
    stagingInfo: stagingInfo(buildpacks, outcome.processTypes['web']),
    configVars: Object.fromEntries(built.configVars),
    addons: built.addons,
  };
}

async function buildCloudFoundry(session: Session, progress: Progress): Promise<BuildpackOutput> {
  const supplies = progress.selected.slice(0, -1);
  const last = progress.selected.at(-1);
  if (last === undefined) throw nothingDetected([]);
  await supplyAll(session, supplies);
  progress.finalStarted = true;
  await finalizeLast(session, last, supplies.length === 0);
  const processes = await buildpackProcesses(session, supplies, last);
  return { processes, configVars: new Map(), addons: [] };
}

async function buildHeroku(input: RunInput, session: Session, progress: Progress): Promise<BuildpackOutput> {
  await writeEnvDir(input.workspace, input.env.configVars('heroku'), session.runner.ports.sandbox.owner);
  progress.finalStarted = true;
  return await runHeroku(session, progress.selected);
}

/** The Procfile's processes, by the grammar of the family. */
async function procfile(input: RunInput, family: Family): Promise<readonly ProcessEntry[]> {
  const file = await readSmall(join(input.workspace.app, 'Procfile'), input.workspace.root);
  if (file.kind === 'absent') return [];
  const parse = family === 'heroku' ? parseProcfileLines : parseProcfile;
  const parsed = file.kind === 'text' ? parse(file.text) : ({ ok: false, reason: file.reason } as const);
  if (parsed.ok) return entriesOf(parsed.value);
  throw new StagerError(
    'PROCFILE_INVALID',
    `Failed to read command from Procfile: invalid YAML: ${parsed.reason}`,
    {
      phase: 'release',
      next: 'Write one `type: command` per line; quote commands that contain `: ` or ` #`.',
      details: { path: 'Procfile', reason: parsed.reason },
    },
  );
}

function emptyTypes(processTypes: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(processTypes)
    .filter(([, command]) => command.trim() === '')
    .map(([type]) => `process type ${type} has no command`);
}

/** Only `Procfile` is read. */
async function misnamed({ workspace }: RunInput): Promise<readonly string[]> {
  const names = await readdir(workspace.app);
  if (names.includes('Procfile')) return [];
  const misnamed = names.filter((name) => meantName(name) === 'Procfile');
  return misnamed.map((name) => `${name} is ignored: the file has to be called Procfile`);
}

/** The two lines that users know; the staging still succeeds. */
function noteMissingWeb(
  session: Session,
  web: string | undefined,
  selected: readonly StagedBuildpack[],
): void {
  const last = selected.at(-1);
  if ((web !== undefined && web !== '') || last === undefined) return;
  const phase = phaseOf('release', last);
  const lines = [
    'No start command specified by buildpack or via Procfile.',
    'App will not start unless a command is provided at runtime.',
  ];
  for (const text of lines) session.runner.ports.report({ type: 'output', phase, stream: 'stderr', text });
  session.warnings.push(lines.join(' '));
}

async function metadata(input: RunInput, progress: Progress): Promise<readonly ResultBuildpack[]> {
  const entries: ResultBuildpack[] = [];
  for (const buildpack of progress.selected) {
    const path = join(input.workspace.deps, buildpack.index, 'config.yml');
    const file = await readSmall(path, input.workspace.root);
    const entry = buildpackMetadata(buildpack.key, file.kind === 'text' ? file.text : undefined);
    const name = entry.name === '' ? (progress.detectOutput ?? '') : entry.name;
    entries.push({ ...entry, name });
  }
  return entries;
}

function record(buildpack: StagedBuildpack): BuildpackRecord {
  return {
    key: buildpack.key,
    name: buildpack.name,
    ...(buildpack.version !== undefined && { version: buildpack.version }),
    sha256: buildpack.digest,
    family: buildpack.family,
  };
}
