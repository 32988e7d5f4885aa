/** Cloud Native Buildpacks for the library: what `stager stage --lifecycle cnb` does. */
import { openStager } from '../../compose.ts';
import { writeJsonFile } from '../../config/json-file.ts';
import { demandOutputFile } from '../../machine/host/output-file.ts';
import { stageAppWithCnbs } from '../../staging/stage-cnb.ts';
import type { BuildEvent } from '../../words/events.ts';
import type { CnbResult } from '../../words/result.ts';
import { type Handle, openHandle } from './handle.ts';
import { type CommonOptions, configOf, requestOf, type StagingOptions } from './options.ts';
import type { RegistryOptions } from './registry-options.ts';
import { UNREAD_EVENTS } from './stage.ts';

/** Options of `stageCnb`. Sizes in MiB, times in milliseconds. */
export interface CnbOptions
  extends CommonOptions,
    RegistryOptions,
    Pick<
      StagingOptions,
      | 'appName'
      | 'cache'
      | 'cfStack'
      | 'compression'
      | 'diskMb'
      | 'env'
      | 'envFile'
      | 'ignoreStyle'
      | 'keep'
      | 'memoryMb'
      | 'onEvent'
      | 'reuse'
      | 'services'
      | 'smoke'
      | 'sourceDateEpoch'
      | 'timeoutMs'
    > {
  /** Directory or archive; default `.`. */
  readonly source?: string;
  /** Directories, `.cnb` or `.tgz` files, URLs of such, or `docker://IMAGE`, in order; absent: the builder's order. */
  readonly buildpacks?: readonly string[];
  /** Builder image: a reference, or an OCI layout. */
  readonly builder?: string;
  /** Git repository or directory with the index of the Buildpack Registry; default: the public one. */
  readonly cnbRegistry?: string;
  /** Also write the droplet to this file. */
  readonly output?: string;
  /** Also write Cloud Foundry's result.json to this file. */
  readonly result?: string;
}

/** A staging with Cloud Native Buildpacks in progress. Its last event has the record, as that of `stage`. */
export type CnbHandle = Handle<BuildEvent, CnbResult>;

/** Stages an app with Cloud Native Buildpacks; the droplet is stored and recorded as that of `stage`. */
export function stageCnb(options: CnbOptions): CnbHandle {
  const { signal, onEvent } = options;
  return openHandle<BuildEvent, CnbResult>({
    signal,
    onEvent,
    limit: UNREAD_EVENTS,
    run: (io) => stageWith(options, io),
  });
}

async function stageWith(
  options: CnbOptions,
  io: { readonly signal: AbortSignal; readonly emit: (event: BuildEvent) => void },
): Promise<CnbResult> {
  const { result: file } = options;
  const config = await configOf(options);
  const request = await requestOf(options, config);
  if (file !== undefined) await demandOutputFile(file);
  await using stager = openStager(config);
  const client = await stager.registryClient(io.signal);
  const ports = { ...(await stager.stagePorts(io.signal)), client };
  const { builder, cnbRegistry = config.settings.cnbRegistry } = options;
  const wish = {
    ...request,
    ...(builder !== undefined && { builder }),
    ...(cnbRegistry !== undefined && { cnbRegistry }),
  };
  const { result } = await stageAppWithCnbs(wish, ports, io);
  if (result.lifecycle_type !== 'cnb') throw new Error('unreachable: the record of another lifecycle');
  if (file !== undefined) await writeJsonFile(file, result);
  return result;
}
