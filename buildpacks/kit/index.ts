/** The buildpack kit: what an author imports. docs/kit.md shows a whole buildpack made with it. */
export { isOffline, isRecording } from './bundle.ts';
export { pruneCache } from './cache-limit.ts';
export { type Checksum, checksum, hashFile, parseIntegrity } from './checksum.ts';
export { Dependencies, type DependencyOptions, type Installed, type InstallOptions } from './dependencies.ts';
export { type DownloadOptions, download, fetchText, NotThere } from './download.ts';
export { stagingEnv, writeLaunchEnv } from './environment.ts';
export { type Argv, output, type RunOptions, run, succeeds } from './exec.ts';
export { isArchive, type Pick, type UnpackOptions, unpack } from './extract.ts';
export { BuildpackFailure, errnoOf, reasonOf } from './failure.ts';
export { isThere, readJson, readText, readToml } from './files.ts';
export { statedGoSum } from './go-sum.ts';
export { runHook } from './hooks.ts';
export { tellIgnoredVariables } from './ignored.ts';
export { Kept } from './kept.ts';
export { installOnce, type KeptInstall } from './kept-install.ts';
export { DepDir, type LaunchProcess } from './layout.ts';
export { demandLibc, machineFacts, neededLibc, stackLibc } from './libc.ts';
export { installLibraries, librariesOnly, stackHasLibrary } from './libraries.ts';
export { type LockDrift, tellLockDrift } from './lock-drift.ts';
export { createLog, hideCredentials, type Log } from './log.ts';
export {
  applyOverride,
  type Dependency,
  defaultRange,
  deprecation,
  type Fit,
  groupOf,
  loadManifest,
  type Manifest,
  readYaml,
  resolve,
  ruledOutByLibc,
  versionsOf,
} from './manifest.ts';
export { statedMavenSum } from './maven.ts';
export { type Env, fileNameOf, locate, type RegistryName, registryUrl } from './mirrors.ts';
export { checkNginx, installNginx } from './nginx.ts';
export { makeOffline, type OfflineOptions } from './offline.ts';
export { type OptionTable, tellOptions } from './options.ts';
export { findOnPypi, type PypiFile, pypiFiles } from './pypi.ts';
export { runSteps, type StepContext, type Steps } from './step.ts';
export { hasTar, packTar, unpackTar } from './tar-tool.ts';
export { highestMatch, newestFirst, normaliseRange } from './versions.ts';
export { tellWorkers } from './workers.ts';
