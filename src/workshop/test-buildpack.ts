/** Runs a buildpack on its fixtures and compares the results with the expectations next to them. */

import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeTextFile } from '../config/json-file.ts';
import type { WantedNetwork } from '../machine/sandbox/port/network.ts';
import { buildpackRoot } from '../staging/buildpack/contract/root.ts';
import { appIdentity, type StageRequest } from '../staging/request/request.ts';
import type { StagePorts } from '../staging/steps/staging.ts';
import { parseServices } from '../staging/vcap/services.ts';
import { demandOwn } from '../staging/workspace/own.ts';
import { StagerError } from '../words/errors.ts';
import type { Emit } from '../words/events.ts';
import { compareAgain, compareFirst, type Difference } from './compare.ts';
import { type ExpectationsFile, readExpectations } from './expectations.ts';
import { type RoundInput, withRound } from './round.ts';
import type { SeenRound } from './seen.ts';
import { updatedExpectations } from './update-expectations.ts';

/** What to test. */
export interface TestRequest {
  /** The buildpack's directory. */
  readonly dir: string;
  /** Only this fixture. */
  readonly fixture?: string;
  /** Write what was seen as the new expectations. */
  readonly update: boolean;
  readonly stack: string;
  /** What scripts see as CF_STACK, when it is not what follows from the stack. */
  readonly cfStack?: string;
  readonly network: WantedNetwork;
  readonly limits: Pick<StageRequest, 'memoryMb' | 'diskMb' | 'timeoutMs'>;
  /** Run shell scripts with `-x`. */
  readonly trace: boolean;
}

/** How one fixture went. `seen`: it has no expectations, and nothing failed. */
export interface FixtureResult {
  readonly fixture: string;
  readonly outcome: 'passed' | 'failed' | 'seen' | 'updated';
  readonly first: SeenRound;
  /** The round with the cache of the first; only when it left one. */
  readonly again?: SeenRound;
  readonly differences: readonly Difference[];
  /** Its expectations file. */
  readonly expectations: string;
}

/** Ports of {@link testBuildpack}. */
export interface TestIo {
  readonly signal: AbortSignal;
  /** Events of the scripts, as they run. */
  readonly emit: Emit;
  readonly onFixture: (result: FixtureResult) => void;
}

/** Directories that may hold fixtures, the first one that is there counts. */
const PLACES = ['test/fixtures', 'fixtures'] as const;
const SUFFIX = '.expect.yml';

/**
 * Tests the fixtures one after another.
 *
 * @throws StagerError BUILDPACK_TEST_FAILED when one is not as expected (after all have run) or an expectations file
 * can't be used, USAGE when there is no fixture, BUILDPACK_MALFORMED, and what a staging can throw before its scripts.
 */
export async function testBuildpack(request: TestRequest, ports: StagePorts, io: TestIo): Promise<void> {
  const dir = resolve(request.dir);
  const scripts = new Set(await readdir(join(await buildpackRoot(dir, request.dir), 'bin')));
  const place = await fixturesOf(dir);
  const failed: string[] = [];
  for (const name of chosen(place.names, request, place.path)) {
    const result = await testFixture(
      { request, dir, scripts, name, path: join(place.path, name) },
      ports,
      io,
    );
    io.onFixture(result);
    if (result.outcome === 'failed') failed.push(name);
  }
  if (failed.length === 0) return;
  throw new StagerError('BUILDPACK_TEST_FAILED', `not as expected: ${failed.join(', ')}`, {
    next: 'Fix the buildpack, or accept what it did with --update.',
    details: { buildpack: dir, fixtures: failed },
  });
}

async function fixturesOf(
  dir: string,
): Promise<{ readonly path: string; readonly names: readonly string[] }> {
  for (const place of PLACES) {
    const path = join(dir, place);
    const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    if (names.length > 0) return { path, names: names.sort() };
  }
  throw new StagerError('USAGE', `${dir} has no fixtures`, {
    next: `Put small apps into ${PLACES[0]}/<name>/ of the buildpack.`,
    details: { buildpack: dir, places: PLACES },
  });
}

function chosen(names: readonly string[], { fixture }: TestRequest, path: string): readonly string[] {
  if (fixture === undefined) return names;
  if (names.includes(fixture)) return [fixture];
  throw new StagerError('USAGE', `there is no fixture ${fixture} in ${path}`, {
    next: `It has ${names.join(', ')}.`,
    details: { fixture, names },
  });
}

interface Fixture {
  readonly request: TestRequest;
  readonly dir: string;
  /** Names in bin/. */
  readonly scripts: ReadonlySet<string>;
  readonly name: string;
  readonly path: string;
}

async function testFixture(fixture: Fixture, ports: StagePorts, io: TestIo): Promise<FixtureResult> {
  const expectations = `${fixture.path}${SUFFIX}`;
  const file = await readExpectations(expectations);
  const input = await roundInput(fixture, file, { ports, io });
  return await withRound(input, async (first, workspace) => {
    const leftCache = [...first.files].some((path) => path.startsWith('cache/'));
    const wantsAgain = first.error === undefined && (leftCache || file?.expectations.again !== undefined);
    const conclude = (again?: SeenRound): Promise<FixtureResult> =>
      judge(fixture, { file, expectations, first, ...(again !== undefined && { again }) });
    if (!wantsAgain) return await conclude();
    await demandOwn(workspace, [workspace.cache]);
    return await withRound({ ...input, cache: workspace.cache }, (again) => conclude(again));
  });
}

interface Rounds {
  readonly file: ExpectationsFile | undefined;
  readonly expectations: string;
  readonly first: SeenRound;
  readonly again?: SeenRound;
}

async function judge(fixture: Fixture, rounds: Rounds): Promise<FixtureResult> {
  const { file, expectations, first, again } = rounds;
  const base = { fixture: fixture.name, expectations, first, ...(again !== undefined && { again }) };
  if (fixture.request.update) {
    await writeTextFile(expectations, await updatedExpectations(file, rounds));
    return { ...base, outcome: 'updated', differences: [] };
  }
  const differences = [
    ...(await compareFirst(file?.expectations ?? {}, first)),
    ...(again === undefined ? [] : await compareAgain(file?.expectations.again ?? {}, again)),
  ];
  const outcome = differences.length > 0 ? 'failed' : file === undefined ? 'seen' : 'passed';
  return { ...base, outcome, differences };
}

async function roundInput(
  { request, dir, scripts, path }: Fixture,
  file: ExpectationsFile | undefined,
  { ports, io }: { readonly ports: StagePorts; readonly io: TestIo },
): Promise<RoundInput> {
  const { env = {}, services } = file?.expectations ?? {};
  // One that only supplies can't be the last: it gets one that leaves the app as it is.
  const canBeLast = scripts.has('finalize') || scripts.has('compile');
  const stageRequest: StageRequest = {
    source: { kind: 'path', path },
    app: await appIdentity(path, undefined),
    buildpacks: canBeLast ? [dir] : [dir, 'binary'],
    stack: request.stack,
    ...(request.cfStack !== undefined && { cfStack: request.cfStack }),
    env,
    services: services === undefined ? {} : parseServices(JSON.stringify(services), `${path}${SUFFIX}`),
    ...request.limits,
    network: request.network,
    cache: 'none',
    reuse: false,
    keep: 'never',
    ignoreStyle: 'cf',
    trace: request.trace,
  };
  const detect = canBeLast && scripts.has('detect');
  return { request: stageRequest, ports, signal: io.signal, emit: io.emit, detect };
}
