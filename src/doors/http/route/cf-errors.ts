/**
 * Failures as Cloud Controller's v3 API words them: `{"errors":[{"code","title","detail"}]}`. Numbers and names are
 * those of its errors/v2.yml and v3.yml; clients decide by them.
 */
import { BuildpackRefused } from '../../../service/builds/buildpack-bits.ts';
import { IssuerUnreachable } from '../../../service/sign-in/issuer.ts';
import { isDatabaseAway } from '../../../service/state/failures.ts';
import { CODES, StagerError, withNext } from '../../../words/errors.ts';

/** name → number; HTTP status unless the failure brings its own. */
const CF_ERRORS = {
  ServerError: { code: 10001, http: 500 },
  InvalidAuthToken: { code: 1000, http: 401 },
  MessageParseError: { code: 1001, http: 400 },
  BadRequest: { code: 1004, http: 400 },
  NotFound: { code: 10000, http: 404 },
  NotAuthenticated: { code: 10002, http: 401 },
  NotAuthorized: { code: 10003, http: 403 },
  InvalidRequest: { code: 10004, http: 400 },
  BadQueryParameter: { code: 10005, http: 400 },
  AssociationNotEmpty: { code: 10006, http: 400 },
  InsufficientScope: { code: 10007, http: 403 },
  UnprocessableEntity: { code: 10008, http: 422 },
  ResourceNotFound: { code: 10010, http: 404 },
  RateLimitExceeded: { code: 10013, http: 429 },
  IPBasedRateLimitExceeded: { code: 10014, http: 429 },
  ServiceUnavailable: { code: 10015, http: 503 },
  UniquenessError: { code: 10016, http: 422 },
  OrgSuspended: { code: 10017, http: 403 },
  BlobstoreUnavailable: { code: 150006, http: 502 },
  BlobstoreError: { code: 150007, http: 500 },
  AppPackageInvalid: { code: 150001, http: 400 },
  AppPackageNotFound: { code: 150002, http: 404 },
  PackageBitsAlreadyUploaded: { code: 150004, http: 400 },
  ResourceChecksumMismatch: { code: 150010, http: 500 },
  AppBitsUploadInvalid: { code: 160001, http: 400 },
  AppBitsCopyInvalid: { code: 160002, http: 400 },
  AppResourcesFileModeInvalid: { code: 160003, http: 400 },
  AppResourcesFilePathInvalid: { code: 160004, http: 400 },
  StagingError: { code: 170001, http: 400 },
  NoAppDetectedError: { code: 170003, http: 400 },
  BuildpackCompileFailed: { code: 170004, http: 400 },
  BuildpackReleaseFailed: { code: 170005, http: 400 },
  NoBuildpacksFound: { code: 170006, http: 400 },
  StagingTimeExpired: { code: 170007, http: 504 },
  InsufficientResources: { code: 170008, http: 400 },
  StagerUnavailable: { code: 170010, http: 503 },
  StagerError: { code: 170011, http: 500 },
  StagingInProgress: { code: 170017, http: 422 },
  TaskWorkersUnavailable: { code: 170020, http: 503 },
  ServiceInstanceNameTaken: { code: 60002, http: 400 },
  ServiceBindingAppServiceTaken: { code: 90003, http: 400 },
  ServiceFetchInstanceParametersNotSupported: { code: 120004, http: 400 },
  StackNotFound: { code: 250003, http: 404 },
  StackValidationFailed: { code: 250004, http: 422 },
  BuildpackNameStackLifecycleTaken: { code: 290000, http: 422 },
  BuildpackBitsUploadInvalid: { code: 290002, http: 400 },
  BuildpackInvalid: { code: 290003, http: 400 },
  CustomBuildpacksDisabled: { code: 290004, http: 400 },
  BuildpackLocked: { code: 290005, http: 409 },
  NotImplemented: { code: 310001, http: 501 },
  DockerDisabled: { code: 320003, http: 400 },
  CNBDisabled: { code: 320007, http: 400 },
  FeatureDisabled: { code: 330002, http: 403 },
  EnvironmentVariableGroupInvalid: { code: 380001, http: 400 },
  DropletUploadInvalid: { code: 380002, http: 400 },
  BuildpackStacksDontMatch: { code: 390011, http: 422 },
  BuildpackStackDoesNotExist: { code: 390012, http: 422 },
  BuildpackZipError: { code: 390013, http: 422 },
} as const satisfies Record<string, { code: number; http: number }>;

export type CfErrorName = keyof typeof CF_ERRORS;

const NUMBERS = new Map<string, { readonly code: number; readonly http: number }>(Object.entries(CF_ERRORS));

/** An answer other than success that a route decided on. Details are sentences for people; several are allowed. */
export class CfError extends Error {
  override readonly name = 'CfError';
  readonly title: CfErrorName;
  readonly status: number;
  readonly details: readonly string[];

  constructor(title: CfErrorName, details: string | readonly string[], status?: number) {
    const all = typeof details === 'string' ? [details] : details;
    super(all.join(' '));
    this.title = title;
    this.status = status ?? CF_ERRORS[title].http;
    this.details = all;
  }
}

/** `App not found`: also what objects of foreign spaces are. Clients read this very sentence. */
export function notFound(resource: string): CfError {
  return new CfError('ResourceNotFound', `${resource} not found`);
}

export function unprocessable(...details: readonly string[]): CfError {
  return new CfError('UnprocessableEntity', details);
}

export function notAuthorized(): CfError {
  return new CfError('NotAuthorized', 'You are not authorized to perform the requested action');
}

/** v3 has it and we do not: said, never silently ignored. Of a 422 `cf` prints the sentence, of a 501 the raw answer. */
export function notImplemented(what: string): CfError {
  return unprocessable(`stager does not have ${what}.`);
}

/** One entry of the answer's list. */
export interface ErrorObject {
  readonly code: number;
  readonly title: string;
  readonly detail: string;
}

const DATABASE_AWAY = "The database of this server can't be reached just now. Try again in a moment.";

/** Any failure as status and body. What is not ours to explain is a plain 500 that tells nothing of the inside. */
export function errorAnswer(error: unknown): { status: number; errors: readonly ErrorObject[] } {
  if (error instanceof CfError) {
    return { status: error.status, errors: error.details.map((detail) => object(error.title, detail)) };
  }
  if (error instanceof IssuerUnreachable) {
    return { status: 503, errors: [object('ServiceUnavailable', error.message)] };
  }
  if (error instanceof BuildpackRefused) {
    return { status: 422, errors: [object(error.title, error.message)] };
  }
  if (error instanceof StagerError && error.code !== 'UNEXPECTED') {
    const { cf, http } = CODES[error.code];
    return { status: http, errors: [object(cf, withNext(error))] };
  }
  if (isDatabaseAway(error)) {
    return { status: 503, errors: [object('ServiceUnavailable', DATABASE_AWAY)] };
  }
  const parsed = frameworkFailure(error);
  if (parsed !== undefined) return parsed;
  return {
    status: 500,
    errors: [{ code: 10001, title: 'UnknownError', detail: 'An unknown error occurred.' }],
  };
}

/** What the framework refuses before a route sees it: bodies too large, not JSON, of an unknown type. */
function frameworkFailure(error: unknown): { status: number; errors: readonly ErrorObject[] } | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  const status = error.statusCode;
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined;
  const title = status === 400 ? 'MessageParseError' : 'BadRequest';
  const text = status === 400 ? `Request invalid due to parse error: ${error.message}` : error.message;
  return { status, errors: [object(title, text)] };
}

function object(name: string, detail: string): ErrorObject {
  const { code } = NUMBERS.get(name) ?? CF_ERRORS.ServerError;
  return { code, title: `CF-${name}`, detail };
}
