/** Detection: groups are tried in order, and the first whose buildpacks pass and whose plan fits wins. */
import { join } from 'node:path';
import { readSmall } from '../../machine/host/read-small.ts';
import { StagerError } from '../../words/errors.ts';
import type { CnbDirectory } from './cnb-directory.ts';
import { type CnbEnvironment, withPlatform } from './cnb-env.ts';
import { CNB_INSIDE } from './cnb-home.ts';
import type { FlatEntry } from './cnb-order.ts';
import {
  misfitReason,
  type Passed,
  type PlanSection,
  type ResolvedPlan,
  readPlan,
  resolvePlan,
} from './cnb-plan.ts';
import { type CnbScriptPorts, contractVariables, planFile, runCnbScript } from './cnb-scripts.ts';

/** How the detect script of a buildpack ended. */
type Detected =
  | { readonly kind: 'pass'; readonly sections: readonly PlanSection[] }
  | { readonly kind: 'fail' }
  | { readonly kind: 'error'; readonly why: string };

/** What detection works with. */
export interface DetectParts {
  readonly groups: Iterable<readonly FlatEntry[]>;
  readonly directoryOf: (entry: FlatEntry) => CnbDirectory;
  readonly base: CnbEnvironment;
  readonly platform: Readonly<Record<string, string>>;
  readonly ports: CnbScriptPorts;
}

/** The group that builds. @throws StagerError NO_APP_DETECTED with what each buildpack said. */
export async function detectCnbs(parts: DetectParts): Promise<ResolvedPlan<CnbDirectory>> {
  const results = new Map<string, Detected>();
  const said: string[] = [];
  for (const group of parts.groups) {
    const passed: Passed<CnbDirectory>[] = [];
    let fits = group.length > 0;
    for (const entry of group) {
      const { id, version, targets } = entry.descriptor;
      const name = `${id}@${version}`;
      const known =
        results.get(name) ?? (targeted(targets) ? await detectOne(parts, entry, results.size) : NOT_FOR_THIS);
      if (!results.has(name))
        said.push(`${name}: ${known.kind === 'error' ? `error (${known.why})` : known.kind}`);
      results.set(name, known);
      if (known.kind === 'pass')
        passed.push({ who: parts.directoryOf(entry), optional: entry.optional, sections: known.sections });
      else if (!entry.optional) fits = false;
    }
    const resolved = fits ? resolvePlan(passed) : undefined;
    if (resolved !== undefined) return resolved;
    if (fits)
      said.push(
        `the plan of ${group.map(({ descriptor }) => descriptor.id).join(', ')} does not fit together: ${misfitReason(passed)}`,
      );
  }
  throw new StagerError('NO_APP_DETECTED', `no group of buildpacks accepts the app: ${said.join('; ')}`, {
    next: 'Name the buildpacks that the app needs with -b, in order.',
    details: { detected: said },
  });
}

const NOT_FOR_THIS: Detected = { kind: 'error', why: 'it is not for this platform' };

function targeted(targets: readonly { readonly os: string; readonly arch: string }[]): boolean {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  return (
    targets.length === 0 ||
    targets.some((it) => ['', 'linux'].includes(it.os) && ['', arch].includes(it.arch))
  );
}

async function detectOne(parts: DetectParts, entry: FlatEntry, index: number): Promise<Detected> {
  const { ports, base, platform } = parts;
  const { descriptor } = entry;
  const plan = await planFile(`detect-${index}`, '', ports);
  const user = descriptor.clearEnv ? new Map(base) : withPlatform(base, platform);
  const contract = contractVariables(descriptor, { CNB_BUILD_PLAN_PATH: plan.inside }, ports.distro);
  const outcome = await runCnbScript(
    {
      phase: { name: 'detect', index, buildpack: descriptor.id },
      buildpack: parts.directoryOf(entry),
      script: 'detect',
      args: [CNB_INSIDE.platform, plan.inside],
      plan,
      env: new Map([...user, ...Object.entries(contract)]),
    },
    ports,
  );
  if (outcome.kind === 'exited' && outcome.code === 100) return { kind: 'fail' };
  if (outcome.kind !== 'exited') return { kind: 'error', why: outcome.kind };
  if (outcome.code !== 0) return { kind: 'error', why: `exit ${outcome.code}` };
  const file = await readSmall(join(plan.directory, 'plan.toml'), plan.directory);
  if (file.kind === 'unusable') return { kind: 'error', why: `its plan: ${file.reason}` };
  const read = readPlan(file.kind === 'text' ? file.text : '');
  return read.ok
    ? { kind: 'pass', sections: read.sections }
    : { kind: 'error', why: `its plan: ${read.reason}` };
}
