/** What the staging side of the service needs, passed in by whoever composes it. */
import type { OrderParts, ResolveParts } from '../../staging/buildpack/acquire/resolve.ts';
import type { InspectedImage } from '../../staging/inspect-image.ts';
import type { StageRequest } from '../../staging/request/request.ts';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import type { GivenCredentials } from '../../stores/registry/credentials.ts';
import type { Emit } from '../../words/events.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import type { Retention } from './retention.ts';

/** See the top of the file. */
export interface StagingMeans {
  blobs(): Promise<BlobStore>;
  /** The buildpacks of this machine: where the shipped ones are, and what fetches others. */
  buildpacks(signal: AbortSignal): Promise<ResolveParts>;
  /** Stages one app. */
  stage(request: StageRequest, io: StageIo): Promise<StagingRecord>;
  /** Stages one app with Cloud Native Buildpacks. */
  stageWithCnbs(request: StageRequest, io: Omit<StageIo, 'buildpacks'> & InspectIo): Promise<StagingRecord>;
  /** One sentence when the disk of this machine has no room for stagings. */
  shortOfDisk(): Promise<string | undefined>;
  /** Asks the registry of an image what it is. */
  inspect(image: string, io: InspectIo): Promise<InspectedImage>;
  /** Directory of uploads on their way; those that were acknowledged are taken up again at the next start. */
  readonly uploads: string;
  readonly retention: Retention;
  readonly defaults: StagingDefaults;
}

export interface StageIo {
  readonly signal: AbortSignal;
  readonly emit: Emit;
  readonly buildpacks: OrderParts;
}

export interface InspectIo {
  readonly signal: AbortSignal;
  /** By registry. Those of this machine are not for the apps of others. */
  readonly credentials: GivenCredentials;
  /** Sentences for people. */
  readonly onNote: (text: string) => void;
}

/** Sizes in MiB, times in milliseconds. */
export interface StagingDefaults extends Pick<StageRequest, 'memoryMb' | 'diskMb' | 'timeoutMs' | 'network'> {
  readonly compression?: NonNullable<StageRequest['compression']>;
  /** Root file system of stacks that the database does not know. */
  readonly rootfs: string;
  /** Stagings at once. */
  readonly workers: number;
}
