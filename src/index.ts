/** The library's front door: exports only. docs/library.md shows how it is used. */

export type { RunHandle, RunOptions, StagingHandle } from './doors/library/library.ts';
export { runDroplet, stage } from './doors/library/library.ts';
export type { CommonOptions, StageOptions } from './doors/library/options.ts';
export type { RunEvent } from './staging/launch/events.ts';
export type { HealthCheck } from './staging/launch/health.ts';
export type { RunResult } from './staging/launch/supervise.ts';
export type { Blame, Code } from './words/errors.ts';
export { CODES, isStagerError, StagerError } from './words/errors.ts';
export type { BuildEvent, ErrorReport, PhaseName, PhaseRef } from './words/events.ts';
export type { Guid, Sha1, Sha256 } from './words/ids.ts';
export type { ResultBuildpack, ResultJson, ResultSidecar } from './words/result.ts';
export type { BuildpackRecord, StagingRecord, StoredBlob } from './words/staging-record.ts';
