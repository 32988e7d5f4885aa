/** Build: each buildpack of the group in turn; what they leave is read and passed on to those that follow. */
import { stringify } from 'smol-toml';
import { StagerError } from '../../words/errors.ts';
import type { CnbDirectory } from './cnb-directory.ts';
import { addLayerRoots, applyEnvFiles, type CnbEnvironment, readEnvFiles, withPlatform } from './cnb-env.ts';
import { CNB_INSIDE } from './cnb-home.ts';
import { type LaunchToml, type LayerToml, readLaunchToml, readUnmet } from './cnb-launch.ts';
import { type BuiltCnb, layersDirectory, layersOf } from './cnb-layers.ts';
import { afterBuild, type PlanEntry, planFor, type ResolvedPlan } from './cnb-plan.ts';
import { type CnbScriptPorts, contractVariables, planFile, runCnbScript } from './cnb-scripts.ts';

/** What the build works with. */
export interface BuildParts {
  readonly base: CnbEnvironment;
  readonly platform: Readonly<Record<string, string>>;
  readonly ports: CnbScriptPorts;
}

const NOTHING: LaunchToml = { processes: [], labels: [], slices: [] };

/** Runs all builds. @throws StagerError COMPILE_FAILED naming the buildpack. */
export async function buildCnbs(
  plan: ResolvedPlan<CnbDirectory>,
  parts: BuildParts,
): Promise<readonly BuiltCnb[]> {
  const { home } = parts.ports.places;
  const env: CnbEnvironment = new Map(parts.base);
  let { entries } = plan;
  const built: BuiltCnb[] = [];
  for (const [index, buildpack] of plan.group.entries()) {
    const { descriptor } = buildpack;
    const own = planFor(entries, buildpack);
    const directory = layersDirectory(buildpack);
    await home.make(directory, parts.ports.sandbox.owner);
    await runBuild({ buildpack, index, plan: stringify({ entries: planned(own) }), env }, parts);
    await home.real(directory);
    const names = own.map(({ name }) => name);
    const unmet = await home.text(`${directory}/build.toml`);
    entries = afterBuild(entries, buildpack, unmet === undefined ? [] : readUnmet(unmet, descriptor, names));
    const launch = await home.text(`${directory}/launch.toml`);
    const store = await home.text(`${directory}/store.toml`);
    const layers = await layersOf(home, buildpack);
    built.push({
      buildpack,
      launch: launch === undefined ? NOTHING : readLaunchToml(launch, descriptor),
      layers,
      ...(store !== undefined && { store }),
    });
    await show(env, parts, { directory, layers });
  }
  return built;
}

/** As a plan.toml has them. */
const planned = (own: readonly PlanEntry<CnbDirectory>[]) =>
  own.flatMap(({ name, requires }) =>
    (requires.length === 0 ? [{ metadata: {} }] : requires).map(({ metadata }) => ({ name, metadata })),
  );

async function runBuild(
  build: {
    readonly buildpack: CnbDirectory;
    readonly index: number;
    readonly plan: string;
    readonly env: CnbEnvironment;
  },
  { platform, ports }: BuildParts,
): Promise<void> {
  const { buildpack, index, env } = build;
  const { descriptor } = buildpack;
  const inside = layersDirectory(buildpack);
  const plan = await planFile(`build-${index}`, build.plan, ports);
  const user = descriptor.clearEnv ? new Map(env) : withPlatform(env, platform);
  const contract = contractVariables(
    descriptor,
    { CNB_BP_PLAN_PATH: plan.inside, CNB_LAYERS_DIR: inside },
    ports.distro,
  );
  const phase = { name: 'compile', index, buildpack: `${descriptor.id}@${descriptor.version}` } as const;
  const outcome = await runCnbScript(
    {
      phase,
      buildpack,
      script: 'build',
      args: [inside, CNB_INSIDE.platform, plan.inside],
      env: new Map([...user, ...Object.entries(contract)]),
      plan,
    },
    ports,
  );
  if (outcome.kind === 'exited' && outcome.code === 0) return;
  const how = outcome.kind === 'exited' ? `exit ${outcome.code}` : outcome.kind;
  throw new StagerError('COMPILE_FAILED', `bin/build of ${phase.buildpack} failed: ${how}`, {
    next: 'Its own output says why.',
    details: { buildpack: descriptor.id },
  });
}

/** Layers for build, in the order of their names: directories, `env`, `env.build`. */
async function show(
  env: CnbEnvironment,
  { ports }: BuildParts,
  { directory, layers }: { readonly directory: string; readonly layers: ReadonlyMap<string, LayerToml> },
): Promise<void> {
  const { home } = ports.places;
  for (const [name, { build }] of layers) {
    const layer = `${directory}/${name}`;
    if (!build || !(await home.isDirectory(layer))) continue;
    await addLayerRoots(env, { home, layer }, 'build');
    for (const files of ['env', 'env.build'])
      applyEnvFiles(env, await readEnvFiles(home, `${layer}/${files}`));
  }
}
