/**
 * Every failure a person can act on, in one closed table. A code's exit status, HTTP status and Cloud Foundry
 * error name are decided here and nowhere else.
 *
 * Exit statuses 222 to 225 are Cloud Foundry's (staging-internals.md 6.4); ours are grouped by tens:
 * 1 Procfile/launch.yml (as the original), 2 usage, 10s source, 20s package, 30s buildpack, 40s sandbox and
 * stack, 50s limits, 60s droplet, 70 a bug of ours, 80s blobstore, 90s launch, 100s a server of ours,
 * 110s registries and images, 130/143 cancelled.
 */

/** Who can fix it. Only `stager` and transient `operator` failures are worth a retry. */
export type Blame = 'app' | 'buildpack' | 'operator' | 'stager';

/** The closed list of codes. */
export type Code =
  | 'PROCFILE_INVALID'
  | 'LAUNCH_YML_INVALID'
  | 'USAGE'
  | 'CONFIG_INVALID'
  | 'ENV_NAME_REFUSED'
  | 'SERVICES_INVALID'
  | 'MANIFEST_INVALID'
  | 'SOURCE_NOT_FOUND'
  | 'SOURCE_EMPTY'
  | 'SOURCE_UNSAFE'
  | 'SOURCE_ARCHIVE_INVALID'
  | 'SOURCE_TOO_LARGE'
  | 'SOURCE_CHANGED'
  | 'SOURCE_UNREADABLE'
  | 'PACKAGE_NOT_FOUND'
  | 'PACKAGE_INVALID'
  | 'RESOURCE_MISSING'
  | 'RESOURCE_CHECKSUM_MISMATCH'
  | 'BUILDPACK_NOT_FOUND'
  | 'BUILDPACK_MALFORMED'
  | 'BUILDPACK_DOWNLOAD_FAILED'
  | 'BUILDPACK_CHECKSUM_MISMATCH'
  | 'BUILDPACK_LOCKED'
  | 'BUILDPACK_DISABLED'
  | 'BUILDPACK_MOVED'
  | 'BUILDPACK_TEST_FAILED'
  | 'BUILDPACK_NAME_TAKEN'
  | 'BUNDLE_INVALID'
  | 'SANDBOX_UNAVAILABLE'
  | 'SANDBOX_FAILED'
  | 'STACK_NOT_FOUND'
  | 'STACK_INVALID'
  | 'STAGING_TIMEOUT'
  | 'OUT_OF_MEMORY'
  | 'OUT_OF_DISK'
  | 'HOST_DISK_FULL'
  | 'DROPLET_INVALID'
  | 'DROPLET_NOT_FOUND'
  | 'DROPLET_PACK_FAILED'
  | 'UNEXPECTED'
  | 'BLOBSTORE_UNAVAILABLE'
  | 'BLOBSTORE_DENIED'
  | 'BLOB_NOT_FOUND'
  | 'BLOB_CORRUPT'
  | 'BLOBSTORE_FULL'
  | 'NO_START_COMMAND'
  | 'HEALTH_CHECK_FAILED'
  | 'PORT_IN_USE'
  | 'SERVER_UNAVAILABLE'
  | 'SERVER_REFUSED'
  | 'NOT_SIGNED_IN'
  | 'REGISTRY_UNAVAILABLE'
  | 'REGISTRY_DENIED'
  | 'IMAGE_NOT_FOUND'
  | 'IMAGE_INVALID'
  | 'CANCELLED'
  | 'NO_APP_DETECTED'
  | 'COMPILE_FAILED'
  | 'RELEASE_FAILED'
  | 'SUPPLY_FAILED';

interface CodeRow {
  readonly blame: Blame;
  readonly exit: number;
  readonly http: number;
  /** Error name of Cloud Controller's errors/v2.yml. */
  readonly cf: string;
}

/** code → who, exit status, HTTP status, Cloud Foundry name. */
export const CODES = {
  PROCFILE_INVALID: { blame: 'app', exit: 1, http: 422, cf: 'StagingError' },
  LAUNCH_YML_INVALID: { blame: 'buildpack', exit: 1, http: 422, cf: 'StagingError' },

  USAGE: { blame: 'operator', exit: 2, http: 400, cf: 'InvalidRequest' },
  CONFIG_INVALID: { blame: 'operator', exit: 2, http: 400, cf: 'InvalidRequest' },
  ENV_NAME_REFUSED: { blame: 'app', exit: 2, http: 422, cf: 'UnprocessableEntity' },
  SERVICES_INVALID: { blame: 'app', exit: 2, http: 422, cf: 'UnprocessableEntity' },
  MANIFEST_INVALID: { blame: 'app', exit: 3, http: 422, cf: 'UnprocessableEntity' },

  SOURCE_NOT_FOUND: { blame: 'app', exit: 10, http: 422, cf: 'AppPackageNotFound' },
  SOURCE_EMPTY: { blame: 'app', exit: 11, http: 422, cf: 'AppPackageInvalid' },
  SOURCE_UNSAFE: { blame: 'app', exit: 12, http: 422, cf: 'AppPackageInvalid' },
  SOURCE_ARCHIVE_INVALID: { blame: 'app', exit: 13, http: 422, cf: 'AppBitsUploadInvalid' },
  SOURCE_TOO_LARGE: { blame: 'app', exit: 14, http: 413, cf: 'AppPackageInvalid' },
  SOURCE_CHANGED: { blame: 'app', exit: 15, http: 422, cf: 'AppPackageInvalid' },
  SOURCE_UNREADABLE: { blame: 'app', exit: 16, http: 422, cf: 'AppPackageInvalid' },

  PACKAGE_NOT_FOUND: { blame: 'operator', exit: 20, http: 404, cf: 'ResourceNotFound' },
  PACKAGE_INVALID: { blame: 'app', exit: 21, http: 422, cf: 'AppBitsUploadInvalid' },
  RESOURCE_MISSING: { blame: 'stager', exit: 22, http: 422, cf: 'AppBitsUploadInvalid' },
  RESOURCE_CHECKSUM_MISMATCH: { blame: 'stager', exit: 23, http: 500, cf: 'ResourceChecksumMismatch' },

  BUILDPACK_NOT_FOUND: { blame: 'operator', exit: 30, http: 422, cf: 'UnprocessableEntity' },
  BUILDPACK_MALFORMED: { blame: 'buildpack', exit: 31, http: 422, cf: 'BuildpackZipError' },
  BUILDPACK_DOWNLOAD_FAILED: { blame: 'operator', exit: 32, http: 422, cf: 'StagingError' },
  BUILDPACK_CHECKSUM_MISMATCH: { blame: 'operator', exit: 33, http: 422, cf: 'BuildpackBitsUploadInvalid' },
  BUILDPACK_LOCKED: { blame: 'operator', exit: 34, http: 409, cf: 'BuildpackLocked' },
  BUILDPACK_DISABLED: { blame: 'operator', exit: 35, http: 422, cf: 'BuildpackInvalid' },
  BUILDPACK_MOVED: { blame: 'operator', exit: 36, http: 422, cf: 'BuildpackInvalid' },
  BUILDPACK_TEST_FAILED: { blame: 'buildpack', exit: 37, http: 422, cf: 'BuildpackInvalid' },
  BUILDPACK_NAME_TAKEN: { blame: 'operator', exit: 38, http: 422, cf: 'BuildpackNameStackLifecycleTaken' },
  BUNDLE_INVALID: { blame: 'operator', exit: 39, http: 422, cf: 'StagingError' },

  SANDBOX_UNAVAILABLE: { blame: 'operator', exit: 40, http: 503, cf: 'StagerUnavailable' },
  SANDBOX_FAILED: { blame: 'stager', exit: 41, http: 500, cf: 'StagerError' },
  STACK_NOT_FOUND: { blame: 'operator', exit: 42, http: 404, cf: 'StackNotFound' },
  STACK_INVALID: { blame: 'operator', exit: 43, http: 422, cf: 'StackValidationFailed' },

  STAGING_TIMEOUT: { blame: 'buildpack', exit: 50, http: 504, cf: 'StagingTimeExpired' },
  OUT_OF_MEMORY: { blame: 'app', exit: 51, http: 422, cf: 'InsufficientResources' },
  OUT_OF_DISK: { blame: 'app', exit: 52, http: 422, cf: 'InsufficientResources' },
  HOST_DISK_FULL: { blame: 'operator', exit: 53, http: 507, cf: 'InsufficientResources' },

  DROPLET_INVALID: { blame: 'app', exit: 60, http: 422, cf: 'DropletUploadInvalid' },
  DROPLET_NOT_FOUND: { blame: 'operator', exit: 61, http: 404, cf: 'ResourceNotFound' },
  DROPLET_PACK_FAILED: { blame: 'stager', exit: 62, http: 500, cf: 'StagerError' },

  UNEXPECTED: { blame: 'stager', exit: 70, http: 500, cf: 'ServerError' },

  BLOBSTORE_UNAVAILABLE: { blame: 'operator', exit: 80, http: 502, cf: 'BlobstoreUnavailable' },
  BLOBSTORE_DENIED: { blame: 'operator', exit: 81, http: 502, cf: 'BlobstoreError' },
  BLOB_NOT_FOUND: { blame: 'operator', exit: 82, http: 404, cf: 'BlobstoreError' },
  BLOB_CORRUPT: { blame: 'operator', exit: 83, http: 500, cf: 'BlobstoreError' },
  BLOBSTORE_FULL: { blame: 'operator', exit: 84, http: 507, cf: 'BlobstoreError' },

  NO_START_COMMAND: { blame: 'app', exit: 90, http: 422, cf: 'StagingError' },
  HEALTH_CHECK_FAILED: { blame: 'app', exit: 91, http: 422, cf: 'StagingError' },
  PORT_IN_USE: { blame: 'operator', exit: 92, http: 409, cf: 'StagingError' },

  SERVER_UNAVAILABLE: { blame: 'operator', exit: 100, http: 502, cf: 'StagerUnavailable' },
  SERVER_REFUSED: { blame: 'operator', exit: 101, http: 502, cf: 'StagerError' },
  NOT_SIGNED_IN: { blame: 'operator', exit: 102, http: 401, cf: 'NotAuthenticated' },

  REGISTRY_UNAVAILABLE: { blame: 'operator', exit: 110, http: 502, cf: 'StagingError' },
  REGISTRY_DENIED: { blame: 'operator', exit: 111, http: 422, cf: 'StagingError' },
  IMAGE_NOT_FOUND: { blame: 'operator', exit: 112, http: 422, cf: 'StagingError' },
  IMAGE_INVALID: { blame: 'app', exit: 113, http: 422, cf: 'StagingError' },

  CANCELLED: { blame: 'operator', exit: 130, http: 499, cf: 'StagingError' },

  NO_APP_DETECTED: { blame: 'app', exit: 222, http: 422, cf: 'NoAppDetectedError' },
  COMPILE_FAILED: { blame: 'buildpack', exit: 223, http: 422, cf: 'BuildpackCompileFailed' },
  RELEASE_FAILED: { blame: 'buildpack', exit: 224, http: 422, cf: 'BuildpackReleaseFailed' },
  SUPPLY_FAILED: { blame: 'buildpack', exit: 225, http: 422, cf: 'StagingError' },
} as const satisfies Readonly<Record<Code, CodeRow>>;

/** What {@link StagerError} is made of. */
export interface ErrorParts {
  /** What to do next, one sentence for a person. */
  readonly next?: string;
  /** Facts for machines: path, url (no credentials), limit, actual … */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** Overrides the table's culprit where the same code can have two. */
  readonly blame?: Blame;
  /** Phase in which it happened, e.g. `supply[1] ruby`. */
  readonly phase?: string;
}

/**
 * A failure that somebody can act on. Anything else that is thrown is a bug and shows its stack trace.
 */
export class StagerError extends Error {
  override readonly name = 'StagerError';
  readonly code: Code;
  readonly blame: Blame;
  readonly next: string | undefined;
  readonly phase: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: Code, message: string, parts: ErrorParts = {}) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.blame = parts.blame ?? CODES[code].blame;
    this.next = parts.next;
    this.phase = parts.phase;
    this.details = parts.details ?? {};
  }

  /** The same failure with what is known of it besides. */
  with(parts: ErrorParts): StagerError {
    const { blame, details, cause, next, phase } = this;
    return new StagerError(this.code, this.message, {
      blame,
      details,
      cause,
      ...(next !== undefined && { next }),
      ...(phase !== undefined && { phase }),
      ...parts,
    });
  }

  /** Exit status of a command that ends with this failure. */
  get exit(): number {
    return CODES[this.code].exit;
  }
}

/** True when `error` is a {@link StagerError}, of one of `codes` when any are given. */
export function isStagerError(error: unknown, ...codes: readonly Code[]): error is StagerError {
  return error instanceof StagerError && (codes.length === 0 || codes.includes(error.code));
}

/** The errno name (`ENOENT` …) of a system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Throws CANCELLED when `signal` has fired. Call it between steps that do not take a signal. */
export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled(signal);
}

/** The CANCELLED failure for a fired signal; a StagerError given as the abort reason is returned as it is. */
export function cancelled(signal: AbortSignal): StagerError {
  if (signal.reason instanceof StagerError) return signal.reason;
  return new StagerError('CANCELLED', 'cancelled', { cause: signal.reason });
}

/** What happened and what to do about it, as one text for people. */
export function withNext({
  message,
  next,
}: {
  readonly message: string;
  readonly next?: string | undefined;
}): string {
  return next === undefined ? message : `${message.replace(/\.$/, '')}. ${next}`;
}
