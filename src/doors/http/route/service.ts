/** What the door needs of the rest: one object, handed to the server. Nothing here listens, exits or reads settings. */

import type { StagingService } from '../../../service/builds/staging-service.ts';
import type { Deliveries } from '../../../service/events/deliveries.ts';
import type { Jobs } from '../../../service/queue/jobs.ts';
import type { Audit } from '../../../service/resources/audit.ts';
import type { Authenticator } from '../../../service/sign-in/authenticator.ts';
import type { CodeFlow } from '../../../service/sign-in/code-flow.ts';
import type { SigningKeys } from '../../../service/sign-in/keys.ts';
import type { Database } from '../../../service/state/database.ts';
import type { ReportBug } from '../../../words/report-bug.ts';
import type { Telemetry } from '../../../words/telemetry.ts';
import type { Downloads } from './downloads.ts';

export interface HttpService {
  readonly database: Database;
  readonly authenticator: Authenticator;
  readonly signIn: EmbeddedSignIn | ExternalSignIn;
  readonly jobs: Jobs;
  /** What is answered 500 goes there with its stack. */
  readonly report: ReportBug;
  readonly audit: Audit;
  readonly staging: StagingService;
  /** What webhooks are told. */
  readonly deliveries: Deliveries;
  readonly telemetry: Telemetry;
  readonly downloads: Downloads;
  readonly settings: HttpSettings;
}

/** Users are in our database, and tokens are ours. */
export interface EmbeddedSignIn {
  readonly kind: 'embedded';
  readonly keys: SigningKeys;
}

/** Users and tokens are those of a UAA or another OpenID Connect issuer. */
export interface ExternalSignIn {
  readonly kind: 'external';
  readonly url: string;
  /** How browsers sign in there; undefined: this server is no client of the issuer. */
  readonly flow?: CodeFlow;
}

export interface HttpSettings {
  /** Shown by `/v3/info`. */
  readonly name: string;
  readonly version: string;
  /** Requests a minute of one client; 0 or absent: no limit. */
  readonly rateLimit?: number;
  /** Takes `start` and `restart`, though nothing runs. */
  readonly acceptStart?: boolean;
  /** Where clients reach us, when that is not what their requests say (behind a proxy). */
  readonly publicUrl?: string;
  /** Below it the parts have names of their own: `api.`, `login.`, `uaa.`, `log-cache.`. */
  readonly systemDomain?: string;
}
