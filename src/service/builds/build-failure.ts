/** Why a build failed, in Cloud Controller's form: the name of an error in its table, and a description. */
import { CODES, StagerError, withNext } from '../../words/errors.ts';
import type { LifecycleType } from '../state/schema-apps.ts';

export interface BuildFailure {
  readonly id: string;
  readonly description: string;
}

/** Those that a build of Cloud Controller may have; clients match on some of them. */
const IDS: ReadonlyMap<string, string> = new Map([
  ['NoAppDetectedError', 'An app was not successfully detected by any available buildpack'],
  ['BuildpackCompileFailed', 'App staging failed in the buildpack compile phase'],
  ['BuildpackReleaseFailed', 'App staging failed in the buildpack release phase'],
  ['StagingTimeExpired', 'Staging time expired'],
  ['InsufficientResources', 'Insufficient resources'],
  ['StagingError', 'Staging error'],
  ['StagerError', 'Stager error'],
]);
/** Whole as they are; others say more behind a colon. */
const WHOLE = new Set(['NoAppDetectedError', 'BuildpackCompileFailed', 'BuildpackReleaseFailed']);

/** What Cloud Foundry's lifecycle calls the phases of Cloud Native Buildpacks, and what fails in them. */
const CNB_PHASES: readonly (readonly [id: string, words: string, codes: RegExp])[] = [
  [
    'CNBDownloadBuildpackFailed',
    'cnb: downloading buildpacks failed',
    /^(?:BUILDPACK|REGISTRY|IMAGE)_|^USAGE$/,
  ],
  ['CNBDetectFailed', 'cnb: detecting failed', /^NO_APP_DETECTED$/],
  ['CNBBuildFailed', 'cnb: building failed', /^(?:COMPILE|SUPPLY)_FAILED$/],
];

/** As {@link buildFailure}, for the lifecycle of a build. */
export function lifecycleFailure(lifecycle: LifecycleType, error: StagerError): BuildFailure {
  const phase = lifecycle === 'cnb' ? CNB_PHASES.find(([, , codes]) => codes.test(error.code)) : undefined;
  if (phase === undefined) return buildFailure(error);
  const [id, words] = phase;
  return { id, description: `${words}: ${withNext(error)}` };
}

export function buildFailure(error: StagerError): BuildFailure {
  const named = CODES[error.code].cf;
  const id = IDS.has(named) ? named : error.blame === 'stager' ? 'StagerError' : 'StagingError';
  const words = IDS.get(id) ?? 'Staging error';
  if (WHOLE.has(id)) return { id, description: words };
  return { id, description: `${words}: ${withNext(error)}` };
}

/** Somebody wanted its end. */
export function cancelledBecause(reason: string): StagerError {
  return new StagerError('CANCELLED', reason, { next: 'Stage again if you still want it.' });
}

/** Every worker that had it was lost. */
export function interrupted(): StagerError {
  return new StagerError(
    'UNEXPECTED',
    'each attempt to stage it lost its worker, or its server was restarted',
    {
      next: 'Stage again.',
    },
  );
}
