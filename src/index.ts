/** The library's front door: exports only. docs/library.md shows how it is used, docs/api/ lists what there is. */

export type {
  BlobEntry,
  Blobs,
  BlobsGcOptions,
  BlobsOptions,
  BlobsQuery,
  BlobsRepair,
} from './doors/library/blobs.ts';
export { openBlobs } from './doors/library/blobs.ts';
export type { CnbHandle, CnbOptions } from './doors/library/cnb.ts';
export { stageCnb } from './doors/library/cnb.ts';
export type { DoctorOptions } from './doors/library/doctor.ts';
export { doctor } from './doors/library/doctor.ts';
export type { ErrorCode } from './doors/library/error-codes.ts';
export { ERROR_CODES } from './doors/library/error-codes.ts';
export type { Handle } from './doors/library/handle.ts';
export type { ImageOptions, InspectOptions, RebaseOptions, RunImageOptions } from './doors/library/images.ts';
export { buildImage, inspectImage, rebaseImage, runImage } from './doors/library/images.ts';
export { manifestApps } from './doors/library/manifest.ts';
export type {
  CommonOptions,
  LaunchWishes,
  LockOptions,
  SourceOptions,
  StageOptions,
  StagingOptions,
  StagingServer,
} from './doors/library/options.ts';
export type { PackageOptions } from './doors/library/packages.ts';
export { createPackage } from './doors/library/packages.ts';
export type { RegistryOptions } from './doors/library/registry-options.ts';
export type { RunOptions } from './doors/library/run-droplet.ts';
export { runDroplet } from './doors/library/run-droplet.ts';
export type { RunHandle, RunReadiness, RunTargetOptions } from './doors/library/run-handle.ts';
export type { SourceFilesOptions } from './doors/library/source-files.ts';
export { explainFile, listFiles } from './doors/library/source-files.ts';
export type { StagingHandle } from './doors/library/stage.ts';
export { stage } from './doors/library/stage.ts';
export type { Diagnosis } from './machine/doctor/doctor.ts';
export type { Finding } from './machine/doctor/finding.ts';
export type { DynamicMoves } from './machine/sandbox/kernel/dynamic-moves.ts';
export type { OciRuntime } from './machine/sandbox/oci/runtime.ts';
export type { ExitOutcome, ExitReport } from './machine/sandbox/port/exit-report.ts';
export type { NetworkKind, WantedNetwork } from './machine/sandbox/port/network.ts';
export type { Rejected } from './machine/sandbox/unavailable.ts';
export type { StackInfo } from './machine/stack/store.ts';
export type { BuiltImage, ImageDestination } from './staging/build-image.ts';
export type { DockerResult, InspectedImage } from './staging/inspect-image.ts';
export type { LogSource, RunEvent, StopReason } from './staging/launch/events.ts';
export type { HealthCheck } from './staging/launch/health.ts';
export type { InstanceEnd } from './staging/launch/instance.ts';
export type { RunEnd, RunResult } from './staging/launch/supervise.ts';
export type { ManifestChoice } from './staging/manifest/open.ts';
export type { CreateProgress, PackageResult } from './staging/package/create.ts';
export type { GcReport } from './staging/package/gc.ts';
export type { BrokenPackage } from './staging/package/repair.ts';
export type { IgnoreLine } from './staging/source/ignore.ts';
export type { ServiceBinding, Services } from './staging/vcap/services.ts';
export type { Damage, Usage, VerifyReport } from './stores/blobs/admin.ts';
export type { BlobKey, BlobKind, Leftover } from './stores/blobs/port/blob-store.ts';
export type { PushSummary } from './stores/registry/push.ts';
export type { RepairReport } from './stores/resource-cache/repair.ts';
export type { Blame, Code, ErrorParts } from './words/errors.ts';
export { isStagerError, StagerError } from './words/errors.ts';
export type { BuildEvent, ErrorReport, PhaseName, PhaseRef } from './words/events.ts';
export type { Brand, Guid, Sha1, Sha256 } from './words/ids.ts';
export type { CnbResult, ResultBuildpack, ResultJson, ResultSidecar, StagingResult } from './words/result.ts';
export type {
  BuildpackRecord,
  DependencyRecord,
  HealthCheckWish,
  StagingRecord,
  StoredBlob,
} from './words/staging-record.ts';
export type { EntryKind, Explanation, SentEntry } from './workshop/files.ts';
