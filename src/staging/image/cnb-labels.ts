/** The labels by which `pack` and other tools of Cloud Native Buildpacks know an image (platform.md of the specification). */
import { z } from 'zod';
import { StagerError } from '../../words/errors.ts';
import { escapedId } from '../cnb/cnb-descriptor.ts';
import { CNB_INSIDE } from '../cnb/cnb-home.ts';
import { LaunchDocument, LayerDocument } from '../cnb/cnb-launch.ts';
import type { UnpackedCnbDroplet } from '../cnb/cnb-launch-layers.ts';
import type { LaunchedCnb } from '../cnb/cnb-metadata.ts';
import { parseToml } from '../cnb/cnb-toml.ts';
import type { CnbLayerRole } from './cnb-image-layers.ts';

/** The label that says what each layer is, and where the base ends. */
export const LIFECYCLE_LABEL = 'io.buildpacks.lifecycle.metadata';

/** What an image stands on. */
export interface CnbRunImage {
  readonly topLayer: string;
  /** By digest, where there is one. */
  readonly reference: string;
  readonly image?: string;
  readonly mirrors: readonly string[];
}

/** What buildpacks left beside their layers. */
export interface CnbLeft {
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  readonly slices: readonly (readonly string[])[];
}

/** All `launch.toml` of a droplet, in the order of the buildpacks. @throws StagerError DROPLET_INVALID. */
export async function launchTomls(droplet: UnpackedCnbDroplet): Promise<CnbLeft> {
  const labels: { key: string; value: string }[] = [];
  const slices: string[][] = [];
  for (const buildpack of droplet.metadata.buildpacks) {
    const launch = await documentOf(LaunchDocument, { buildpack, file: 'launch.toml' }, droplet);
    labels.push(...(launch?.labels ?? []).map(({ key, value }) => ({ key, value })));
    slices.push(...(launch?.slices ?? []).map(({ paths }) => paths));
  }
  return { labels, slices };
}

/** A layer that was packed. */
export interface PackedCnbLayer {
  readonly role: CnbLayerRole;
  readonly diffId: string;
}

const Store = z.looseObject({ metadata: z.record(z.string(), z.unknown()).default({}) });

/** {@link LIFECYCLE_LABEL}, with the keys in the order of the lifecycle. */
export async function lifecycleLabel(
  packed: readonly PackedCnbLayer[],
  base: CnbRunImage | undefined,
  droplet: UnpackedCnbDroplet,
): Promise<string> {
  const sha = (kind: CnbLayerRole['kind']) =>
    packed.filter(({ role }) => role.kind === kind).map(({ diffId }) => ({ sha: diffId }));
  const first = (kind: CnbLayerRole['kind']) => sha(kind)[0] ?? { sha: '' };
  const buildpacks: unknown[] = [];
  for (const buildpack of droplet.metadata.buildpacks)
    buildpacks.push(await buildpackFacts(buildpack, packed, droplet));
  const { topLayer = '', reference = '', image, mirrors = [] } = base ?? {};
  const named = {
    ...(image !== undefined && { image }),
    ...(mirrors.length > 0 && { mirrors }),
  };
  return JSON.stringify({
    app: sha('app'),
    ...(sha('sbom').length > 0 && { sbom: first('sbom') }),
    buildpacks,
    config: first('config'),
    launcher: first('launcher'),
    'process-types': first('process-types'),
    runImage: { topLayer, reference, ...named },
    stack: { runImage: named },
  });
}

async function buildpackFacts(
  buildpack: LaunchedCnb,
  packed: readonly PackedCnbLayer[],
  droplet: UnpackedCnbDroplet,
) {
  const layers: Record<string, unknown> = {};
  for (const { role, diffId } of packed) {
    if (role.kind !== 'layer' || role.buildpack !== buildpack.id) continue;
    const layer = await documentOf(LayerDocument, { buildpack, file: `${role.name}.toml` }, droplet);
    const { build = false, cache = false } = layer?.types ?? {};
    layers[role.name] = { sha: diffId, data: layer?.metadata ?? null, build, launch: true, cache };
  }
  const store = await documentOf(Store, { buildpack, file: 'store.toml' }, droplet);
  return {
    key: buildpack.id,
    version: buildpack.version,
    layers,
    ...(store !== undefined && { store: { metadata: store.metadata } }),
  };
}

/** `io.buildpacks.build.metadata`. */
export function buildLabel({ metadata }: UnpackedCnbDroplet, launcherVersion: string): string {
  return JSON.stringify({
    buildpacks: metadata.buildpacks.map(({ id, version, homepage }) => ({
      id,
      version,
      ...(homepage !== '' && { homepage }),
    })),
    launcher: { version: launcherVersion, source: { git: { repository: '', commit: '' } } },
    processes: metadata.processes.map(({ type, command, args, direct, buildpack, workingDir }) => ({
      type,
      command,
      args,
      direct,
      buildpackID: buildpack,
      ...(workingDir !== undefined && { 'working-dir': workingDir }),
    })),
    ...(metadata.defaultType !== undefined && { 'buildpack-default-process-type': metadata.defaultType }),
  });
}

async function documentOf<T>(
  schema: z.ZodType<T>,
  { buildpack, file }: { readonly buildpack: LaunchedCnb; readonly file: string },
  { home }: UnpackedCnbDroplet,
): Promise<T | undefined> {
  const path = `${CNB_INSIDE.layers}/${escapedId(buildpack.id)}/${file}`;
  const text = await home.text(path);
  if (text === undefined) return undefined;
  const read = parseToml(text);
  if (!read.ok) throw invalid(path, read.reason);
  const parsed = schema.safeParse(read.value);
  if (parsed.success) return parsed.data;
  throw invalid(path, z.prettifyError(parsed.error));
}

function invalid(path: string, why: string): StagerError {
  return new StagerError('DROPLET_INVALID', `${path} of the droplet: ${why}`, {
    next: 'Stage the app again.',
    details: { file: path },
  });
}
