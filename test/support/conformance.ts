/** What the conformance suites share: a rig over this machine's sandbox, and how a staging is looked at. */
import { afterAll, beforeAll } from 'vitest';
import type { Selection } from '../../src/machine/sandbox/select.ts';
import type { BuildpacksOutcome } from '../../src/staging/buildpack/run/run-buildpacks.ts';
import { BuildpackRig, type Staged, type Staging } from './buildpack-rig.ts';
import { openTestSandbox } from './open-sandbox.ts';

/** The rig of one file of tests. */
export interface ConformanceRig {
  /** A directory that goes with the rig. */
  readonly root: string;
  /** Whom files in the sandbox belong to. */
  readonly owner: { readonly uid: number; readonly gid: number };
  stage(staging: Staging): Promise<Staged>;
}

/** Opens a rig before the tests of this file and closes it after them. */
export function conformanceRig(): ConformanceRig {
  let opened: Selection | undefined;
  let rig: BuildpackRig | undefined;
  const open = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('the rig is open only while tests run');
    return part;
  };
  beforeAll(async () => {
    opened = await openTestSandbox();
    rig = await BuildpackRig.open(() => open(opened).sandbox);
  });
  afterAll(async () => {
    await rig?.close();
    await opened?.close();
  });
  return {
    get root() {
      return open(rig).root;
    },
    get owner() {
      return open(opened).sandbox.owner;
    },
    stage: (staging) => open(rig).stage(staging),
  };
}

/** The outcome of a staging that has to have worked. */
export function success(staged: Staged): Extract<BuildpacksOutcome, { kind: 'staged' }> {
  if (staged.outcome.kind !== 'staged') throw staged.outcome.error;
  return staged.outcome;
}

/** The outcome of a staging that has to have failed. */
export function failure(staged: Staged): Extract<BuildpacksOutcome, { kind: 'failed' }> {
  if (staged.outcome.kind !== 'failed') throw new Error('it was staged');
  return staged.outcome;
}

/** What a script wrote to `env.txt` with `env -0`. */
export async function variables(staged: Staged): Promise<Map<string, string>> {
  const text = (await staged.read('app/env.txt')) ?? '';
  const entries = text.split('\0').filter((it) => it !== '');
  return new Map(
    entries.map((it): [string, string] => [it.slice(0, it.indexOf('=')), it.slice(it.indexOf('=') + 1)]),
  );
}
