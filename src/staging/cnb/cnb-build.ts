/** Build: each buildpack of the group in turn; what they leave is read and passed on to those that follow. */
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { readSmall } from '../../machine/host/read-small.ts';
import { StagerError } from '../../words/errors.ts';
import type { CnbDirectory } from './cnb-acquire.ts';
import { escapedId } from './cnb-descriptor.ts';
import { addLayerRoots, applyEnvFiles, type CnbEnvironment, readEnvFiles, withPlatform } from './cnb-env.ts';
import { type LaunchToml, type LayerToml, readLaunchToml, readLayerToml, readUnmet } from './cnb-launch.ts';
import { afterBuild, planFor, type ResolvedPlan } from './cnb-plan.ts';
import {
  CNB_INSIDE,
  type CnbScriptPorts,
  contractVariables,
  ownedByScripts,
  planFile,
  runCnbScript,
} from './cnb-scripts.ts';

/** What one buildpack left. */
export interface BuiltCnb {
  readonly buildpack: CnbDirectory;
  readonly launch: LaunchToml;
  /** Name → what it is. */
  readonly layers: ReadonlyMap<string, LayerToml>;
}

/** What the build works with. */
export interface BuildParts {
  readonly base: CnbEnvironment;
  readonly platform: Readonly<Record<string, string>>;
  readonly ports: CnbScriptPorts;
}

const NOTHING: LaunchToml = { processes: [], labels: [], slices: [] };
const NOT_LAYERS: ReadonlySet<string> = new Set(['launch', 'build', 'store']);

/** Runs all builds. @throws StagerError COMPILE_FAILED naming the buildpack. */
export async function buildCnbs(
  plan: ResolvedPlan<CnbDirectory>,
  parts: BuildParts,
): Promise<readonly BuiltCnb[]> {
  const { ports } = parts;
  const env: CnbEnvironment = new Map(parts.base);
  let { entries } = plan;
  const built: BuiltCnb[] = [];
  for (const [index, buildpack] of plan.group.entries()) {
    const { descriptor } = buildpack;
    const own = planFor(entries, buildpack);
    const layers = join(ports.places.home, 'layers', escapedId(descriptor.id));
    await ownedByScripts(layers, ports.sandbox.owner);
    const planned = own.flatMap(({ name, requires }) =>
      (requires.length === 0 ? [{ name, metadata: {} }] : requires).map(({ metadata }) => ({
        name,
        metadata,
      })),
    );
    await runBuild({ buildpack, index, plan: stringify({ entries: planned }), env }, parts);
    const unmet = await textOf(layers, 'build.toml', (text) =>
      readUnmet(
        text,
        descriptor,
        own.map(({ name }) => name),
      ),
    );
    entries = afterBuild(entries, buildpack, unmet ?? []);
    const launch =
      (await textOf(layers, 'launch.toml', (text) => readLaunchToml(text, descriptor))) ?? NOTHING;
    const found = await layersOf(layers, buildpack);
    built.push({ buildpack, launch, layers: found });
    await show(env, { host: layers, inside: `${CNB_INSIDE.layers}/${escapedId(descriptor.id)}` }, found);
  }
  return built;
}

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
  const inside = `${CNB_INSIDE.layers}/${escapedId(descriptor.id)}`;
  const plan = await planFile(`build-${index}`, build.plan, ports);
  const user = descriptor.clearEnv ? new Map(env) : withPlatform(env, platform);
  const contract = contractVariables(descriptor, { CNB_BP_PLAN_PATH: plan.inside, CNB_LAYERS_DIR: inside });
  const phase = { name: 'compile', index, buildpack: `${descriptor.id}@${descriptor.version}` } as const;
  const outcome = await runCnbScript(
    {
      phase,
      buildpack,
      script: 'build',
      args: [inside, CNB_INSIDE.platform, plan.inside],
      env: new Map([...user, ...Object.entries(contract)]),
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

/** Layers with a file that says what they are; a directory without types is set aside. */
async function layersOf(
  directory: string,
  { descriptor }: CnbDirectory,
): Promise<ReadonlyMap<string, LayerToml>> {
  const layers = new Map<string, LayerToml>();
  for (const file of (await readdir(directory)).sort()) {
    const name = /^(.+)\.toml$/.exec(file)?.[1];
    if (name === undefined || NOT_LAYERS.has(name)) continue;
    const layer = await textOf(directory, file, (text) => readLayerToml(text, descriptor, name));
    if (layer === undefined) continue;
    layers.set(name, layer);
    const none = !layer.launch && !layer.build && !layer.cache;
    if (none && (await isDirectory(join(directory, name))))
      await rename(join(directory, name), join(directory, `${name}.ignore`));
  }
  return layers;
}

/** Layers for build, in the order of their names: directories, `env`, `env.build`. */
async function show(
  env: CnbEnvironment,
  { host, inside }: { readonly host: string; readonly inside: string },
  layers: ReadonlyMap<string, LayerToml>,
): Promise<void> {
  for (const [name, { build }] of layers) {
    if (!build || !(await isDirectory(join(host, name)))) continue;
    await addLayerRoots(env, { host: join(host, name), inside: `${inside}/${name}` }, 'build');
    for (const directory of ['env', 'env.build'])
      applyEnvFiles(env, await readEnvFiles(join(host, name, directory)));
  }
}

/** Takes away what is not launched. @throws StagerError DROPLET_PACK_FAILED for a layer that is nowhere. */
export async function keepLaunchLayers(home: string, built: readonly BuiltCnb[]): Promise<void> {
  for (const { buildpack, layers } of built) {
    const directory = join(home, 'layers', escapedId(buildpack.descriptor.id));
    for (const [name, { launch }] of layers) {
      if (launch && !(await isDirectory(join(directory, name)))) {
        throw new StagerError(
          'DROPLET_PACK_FAILED',
          `${buildpack.descriptor.id} needs the layer ${name} of an earlier build, and there is none`,
          {
            blame: 'buildpack',
            next: 'Stage again; a layer for launch has to be made in each staging.',
          },
        );
      }
    }
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (entry.isDirectory() && layers.get(entry.name)?.launch !== true)
        await rm(join(directory, entry.name), { recursive: true, force: true });
    }
  }
}

async function textOf<T>(directory: string, file: string, read: (text: string) => T): Promise<T | undefined> {
  const found = await readSmall(join(directory, file), directory);
  if (found.kind === 'absent') return undefined;
  if (found.kind === 'text') return read(found.text);
  throw new StagerError('COMPILE_FAILED', `${file} of a buildpack can't be read: ${found.reason}`, {
    next: 'Report it to its authors.',
  });
}

const isDirectory = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() === true;
