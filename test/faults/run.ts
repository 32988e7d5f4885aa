/** Faults one after another, while builds are sent in; then everything comes to rest, and is looked at. */
import { setTimeout } from 'node:timers/promises';
import { TOLD } from '../support/cli.ts';
import { Client } from './client.ts';
import { type Fault, faults, type Lasting } from './faults.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { broken, collect, leftOnWorkers } from './invariants.ts';

export interface FaultRun {
  readonly moments: number;
  readonly lasting: Lasting;
  readonly say: (text: string) => void;
  /** Only these, in this order; without, random ones. */
  readonly only?: readonly string[];
  readonly real?: boolean;
}

export interface FaultReport {
  readonly faults: number;
  readonly builds: number;
  readonly staged: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly orphans: number;
  readonly broken: readonly string[];
}

const [SPACES, APPS_OF_EACH] = [2, 2];
const FAKE_APP = { variables: { FAKE_PAUSE: '700', FAKE_LINES: '20' }, buildpacks: [] };
const REAL_APP = {
  variables: {
    SUPPLY: 'for n in 1 2 3 4 5; do echo line $n; sleep 0.2; head -c 2000000 /dev/urandom > "$1/f$n"; done',
  },
  buildpacks: ['told'],
};

export async function runFaults(run: FaultRun): Promise<FaultReport> {
  const fleet = await startFleet({ real: run.real === true });
  try {
    return await during(fleet, run);
  } finally {
    await fleet.stop();
  }
}

async function during(fleet: Fleet, run: FaultRun): Promise<FaultReport> {
  const client = new Client(fleet);
  if (run.real === true) await client.addBuildpack(TOLD);
  const app = run.real === true ? REAL_APP : FAKE_APP;
  const sources: string[] = [];
  for (let space = 0; space < SPACES; space += 1) {
    const guid = await client.newSpace(`space-${space}`);
    for (let n = 0; n < APPS_OF_EACH; n += 1) {
      sources.push(await client.newPackage(guid, `app-${n}`, app));
    }
  }
  const [ends, failed] = [new AbortController(), new Map<string, number>()];
  const counts = { builds: 0, staged: 0 };
  const pushing = sources.map(async (source) => {
    while (!ends.signal.aborted) {
      const { state, error } = await client.ended(await client.stage(source));
      counts.builds += 1;
      if (state === 'STAGED') counts.staged += 1;
      else failed.set(error ?? '', (failed.get(error ?? '') ?? 0) + 1);
    }
  });
  const list = faults(run.lasting, fleet.disks.length > 0);
  for (let moment = 0; moment < run.moments; moment += 1) {
    const fault = chosen(list, run.only, moment);
    run.say(`${moment + 1}/${run.moments} ${fault.name} (${counts.builds} builds so far)`);
    await setTimeout(Math.random() * 1500);
    await fault.happen(fleet);
  }
  ends.abort();
  await Promise.all(pushing);
  const ended = [fleet.server, ...fleet.workers].filter(({ child }) => child.exitCode !== null);
  const wrong = [...ended.map(({ name }) => `${name} ended by itself`), ...(await broken(fleet))];
  if (run.real === true) wrong.push(...(await leftOnWorkers(fleet)));
  const { deleted, left } = await collect(fleet);
  if (left > 0) wrong.push(`${left} × a blob that is nobody's, after gc`);
  return {
    faults: run.moments,
    ...counts,
    failed: Object.fromEntries(failed),
    orphans: deleted,
    broken: wrong,
  };
}

function chosen(list: readonly Fault[], only: readonly string[] | undefined, moment: number): Fault {
  const name = only?.[moment % only.length];
  const found =
    name === undefined ? list[Math.floor(Math.random() * list.length)] : list.find((it) => it.name === name);
  if (found === undefined) throw new Error(`no fault ${name ?? ''}`);
  return found;
}
