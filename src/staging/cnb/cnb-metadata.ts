/** `layers/config/metadata.toml`: what a build leaves for the launcher (buildpack-contracts.md 5.9). */
import { stringify } from 'smol-toml';
import { z } from 'zod';
import { StagerError } from '../../words/errors.ts';
import type { CnbResult } from '../../words/result.ts';
import { CNB_API } from './cnb-descriptor.ts';
import { CNB_INSIDE } from './cnb-home.ts';
import type { CnbProcess } from './cnb-launch.ts';
import type { BuiltCnb } from './cnb-layers.ts';
import { parseToml } from './cnb-toml.ts';

/** Where it is, inside. */
export const CNB_METADATA = `${CNB_INSIDE.layers}/config/metadata.toml`;

/** Its text. */
export function metadataToml(
  built: readonly BuiltCnb[],
  processes: readonly CnbProcess[],
  defaultType: string | undefined,
): string {
  return stringify({
    ...(defaultType !== undefined && { 'buildpack-default-process-type': defaultType }),
    buildpacks: built.map(({ buildpack: { descriptor } }) => ({
      id: descriptor.id,
      version: descriptor.version,
      api: `0.${descriptor.api}`,
      ...(descriptor.homepage !== '' && { homepage: descriptor.homepage }),
    })),
    processes: processes.map(({ type, command, args, direct, workingDir, buildpack }) => ({
      type,
      command: [...command],
      args: [...args],
      direct,
      ...(workingDir !== undefined && { 'working-dir': workingDir }),
      'buildpack-id': buildpack,
    })),
  });
}

/** One process that can be launched. */
export type LaunchedProcess = Pick<CnbProcess, 'type' | 'command' | 'args' | 'direct' | 'workingDir'>;

/** What a droplet says about launching it. */
export interface CnbMetadata {
  /** Ids, in the order in which they were built. */
  readonly buildpacks: readonly string[];
  readonly processes: readonly LaunchedProcess[];
}

const Words = z.array(z.string());
const Document = z.looseObject({
  buildpacks: z.array(z.looseObject({ id: z.string().min(1), api: z.string() })).default([]),
  processes: z
    .array(
      z.looseObject({
        type: z.string().min(1),
        command: z.union([z.string().transform((text) => [text]), Words.min(1)]),
        args: Words.nullish(),
        direct: z.boolean().default(false),
        'working-dir': z.string().optional(),
      }),
    )
    .default([]),
});

/** @throws StagerError DROPLET_INVALID for what no lifecycle wrote. */
export function readCnbMetadata(text: string): CnbMetadata {
  const read = parseToml(text);
  if (!read.ok) throw invalid(read.reason);
  const parsed = Document.safeParse(read.value);
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error));
  for (const { id, api } of parsed.data.buildpacks) {
    const minor = Number(/^0\.(\d+)$/.exec(api)?.[1] ?? Number.NaN);
    if (!(minor >= CNB_API.lowest && minor <= CNB_API.highest))
      throw invalid(`the API ${api} of ${id} is not one of 0.${CNB_API.lowest} to 0.${CNB_API.highest}`);
  }
  return {
    buildpacks: parsed.data.buildpacks.map(({ id }) => id),
    processes: parsed.data.processes.map(({ type, command, args, direct, 'working-dir': workingDir }) => ({
      type,
      command,
      args: args ?? [],
      direct,
      ...(workingDir !== undefined && workingDir !== '' && { workingDir }),
    })),
  };
}

/** A process as Cloud Foundry's result and its launcher write it: quoting is lost. */
export const processText = ({ command, args }: Pick<CnbProcess, 'command' | 'args'>): string =>
  [...command, ...args].join(' ');

/** Cloud Foundry's result.json of a build. */
export function cnbResult(built: readonly BuiltCnb[], processes: readonly CnbProcess[]): CnbResult {
  return {
    lifecycle_metadata: {
      buildpacks: built.map(({ buildpack: { descriptor } }) => {
        const { id, version } = descriptor;
        return { key: id, name: `${id}@${version}`, version };
      }),
    },
    process_types: Object.fromEntries(processes.map((process) => [process.type, processText(process)])),
    execution_metadata: '',
    lifecycle_type: 'cnb',
  };
}

function invalid(why: string): StagerError {
  return new StagerError('DROPLET_INVALID', `layers/config/metadata.toml of the droplet: ${why}`, {
    next: 'Stage the app again.',
    details: { file: 'layers/config/metadata.toml' },
  });
}
