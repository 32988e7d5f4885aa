/** The library's front door: exports only. docs/library.md shows how it is used. */

export type { BuildpackRecord, StagingRecord, StoredBlob } from './droplet/record.ts';
export type { ResultBuildpack, ResultJson, ResultSidecar } from './droplet/result.ts';
export type { Blame, Code } from './errors.ts';
export { CODES, isStagerError, StagerError } from './errors.ts';
export type { BuildEvent, ErrorReport, PhaseName, PhaseRef } from './events.ts';
export type { Guid, Sha1, Sha256 } from './ids.ts';
export type { RunEvent } from './launch/events.ts';
export type { HealthCheck } from './launch/health.ts';
export type { RunResult } from './launch/supervise.ts';
export type { RunHandle, RunOptions, StagingHandle } from './library.ts';
export { runDroplet, stage } from './library.ts';
export type { CommonOptions, StageOptions } from './options.ts';
