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
export type LaunchedProcess = Pick<CnbProcess, 'type' | 'command' | 'args' | 'direct' | 'workingDir'> & {
  /** Id of its buildpack. */
  readonly buildpack: string;
};

/** A buildpack that took part in a build. */
export interface LaunchedCnb {
  readonly id: string;
  readonly version: string;
  /** Minor number of its API 0.x. */
  readonly api: number;
  readonly homepage: string;
}

/** What a droplet says about launching it. */
export interface CnbMetadata {
  /** In the order in which they were built. */
  readonly buildpacks: readonly LaunchedCnb[];
  readonly processes: readonly LaunchedProcess[];
  readonly defaultType?: string;
}

const Words = z.array(z.string());
const Document = z.looseObject({
  'buildpack-default-process-type': z.string().optional(),
  buildpacks: z
    .array(
      z.looseObject({
        id: z.string().min(1),
        api: z.string(),
        version: z.string().default(''),
        homepage: z.string().default(''),
      }),
    )
    .default([]),
  processes: z
    .array(
      z.looseObject({
        type: z.string().min(1),
        command: z.union([z.string().transform((text) => [text]), Words.min(1)]),
        args: Words.nullish(),
        direct: z.boolean().default(false),
        'working-dir': z.string().optional(),
        'buildpack-id': z.string().default(''),
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
  const defaultType = parsed.data['buildpack-default-process-type'];
  return {
    buildpacks: parsed.data.buildpacks.map(({ id, version, api, homepage }) => {
      const minor = Number(/^0\.(\d+)$/.exec(api)?.[1] ?? Number.NaN);
      if (!(minor >= CNB_API.lowest && minor <= CNB_API.highest))
        throw invalid(`the API ${api} of ${id} is not one of 0.${CNB_API.lowest} to 0.${CNB_API.highest}`);
      return { id, version, api: minor, homepage };
    }),
    processes: parsed.data.processes.map((process) => {
      const { type, command, args, direct, 'working-dir': workingDir, 'buildpack-id': buildpack } = process;
      return {
        type,
        command,
        args: args ?? [],
        direct,
        buildpack,
        ...(workingDir !== undefined && workingDir !== '' && { workingDir }),
      };
    }),
    ...(defaultType !== undefined && defaultType !== '' && { defaultType }),
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
