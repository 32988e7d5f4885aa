/** result.json as Cloud Controller expects it (buildpack-contracts.md 1.7, staging-internals.md 6.6). */

/** One buildpack in `lifecycle_metadata.buildpacks`. */
export interface ResultBuildpack {
  readonly key: string;
  readonly name: string;
  readonly version?: string;
  readonly config?: { readonly entrypoint_prefix: string };
  readonly output_metadata?: Readonly<Record<string, unknown>>;
}

/** One process that runs beside another in its container. Memory in MB. */
export interface ResultSidecar {
  readonly name: string;
  readonly process_types: readonly string[];
  readonly command: string;
  readonly memory?: number;
}

/** The whole document. `process_types` is null when finalize, compile or release failed. */
export interface ResultJson {
  readonly lifecycle_metadata: {
    readonly buildpack_key: string;
    readonly detected_buildpack: string;
    readonly buildpacks: readonly ResultBuildpack[];
  };
  readonly process_types: Readonly<Record<string, string>> | null;
  readonly processes: readonly { readonly type: string; readonly command: string }[] | null;
  readonly sidecars?: readonly ResultSidecar[];
  readonly execution_metadata: string;
  readonly lifecycle_type: 'buildpack';
}

/** result.json of the cnb lifecycle. It has no sidecars, and its processes are those of `process_types`. */
export interface CnbResult {
  readonly lifecycle_metadata: {
    readonly buildpacks: readonly { readonly key: string; readonly name: string; readonly version: string }[];
  };
  readonly process_types: Readonly<Record<string, string>>;
  readonly execution_metadata: '';
  readonly lifecycle_type: 'cnb';
}

/** Of either lifecycle that runs buildpacks. */
export type StagingResult = ResultJson | CnbResult;

/** The sidecars of a result. */
export const resultSidecars = (result: StagingResult | undefined): readonly ResultSidecar[] =>
  (result?.lifecycle_type === 'buildpack' ? result.sidecars : undefined) ?? [];

/** What detect said of the last buildpack; empty for the cnb lifecycle, which keeps none. */
export const detectedOf = (result: StagingResult): string =>
  result.lifecycle_type === 'buildpack' ? result.lifecycle_metadata.detected_buildpack : '';
