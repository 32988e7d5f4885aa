/** Assembles what the HTTP door needs: a database in, an {@link HttpService} out. */
import type { StagingMeans } from '../../service/builds/means.ts';
import { StagingService, type StagingWork } from '../../service/builds/staging-service.ts';
import { Deliveries, type DeliveriesParts } from '../../service/events/deliveries.ts';
import type { Metrics } from '../../service/metrics/metrics.ts';
import { Jobs } from '../../service/queue/jobs.ts';
import { Audit } from '../../service/resources/audit.ts';
import { seedDomain } from '../../service/resources/domains.ts';
import { embeddedAuthenticator } from '../../service/sign-in/authenticator.ts';
import { CodeFlow, type PageClient } from '../../service/sign-in/code-flow.ts';
import { type GetText, type IssuerSettings, issuerAuthenticator } from '../../service/sign-in/issuer.ts';
import { SigningKeys } from '../../service/sign-in/keys.ts';
import type { Database, Queries } from '../../service/state/database.ts';
import { systemClock } from '../../words/clock.ts';
import type { ReportBug } from '../../words/report-bug.ts';
import { NO_TELEMETRY, type Telemetry } from '../../words/telemetry.ts';
import { jobTable } from './job-table.ts';
import { CfError, errorAnswer } from './route/cf-errors.ts';
import { Downloads } from './route/downloads.ts';
import type { HttpService, HttpSettings } from './route/service.ts';

/** What an app's default route is made in. Nothing answers there: apps run elsewhere. */
const APPS_DOMAIN = 'apps.localhost';

export interface ServiceParts {
  readonly database: Database;
  readonly settings: HttpSettings;
  /** What apps are staged with. */
  readonly staging: StagingMeans;
  /** Where bugs go; without, nowhere. */
  readonly report?: ReportBug;
  /** Who takes builds in this process; without, one worker that takes all. */
  readonly work?: StagingWork;
  /** Without, nothing is told. */
  readonly telemetry?: Telemetry;
  readonly metrics?: Metrics;
  /** How webhooks are reached, where that is not the usual way. */
  readonly webhooks?: Pick<DeliveriesParts, 'authorities' | 'send'>;
  /** Who signs the tokens; without, we do. */
  readonly issuer?: TrustedIssuer;
}

/** An issuer, and how it is asked. */
export interface TrustedIssuer extends IssuerSettings {
  readonly get: GetText;
  /** What browsers sign in there as; without, people bring a token. */
  readonly page?: PageClient;
}

/** Keys are there and jobs that were left unfinished are on their way when it returns. */
export async function createService(parts: ServiceParts): Promise<HttpService> {
  const { database, settings, report = () => undefined } = parts;
  const { queries } = database;
  const signIn = await openSignIn(queries, parts.issuer);
  await seedDomain(queries, APPS_DOMAIN);
  const staging = new StagingService(database, parts.staging, report, {
    ...(parts.work !== undefined && { work: parts.work }),
    ...(parts.telemetry !== undefined && { telemetry: parts.telemetry }),
    ...(parts.metrics !== undefined && { metrics: parts.metrics }),
  });
  staging.metrics.ofDatabase(queries);
  await staging.repair();
  const jobs = new Jobs({
    database,
    clock: systemClock,
    table: jobTable(database, staging),
    explain: (error) => {
      const { status, errors } = errorAnswer(error);
      if (status >= 500 && !(error instanceof CfError)) report('a job', error);
      return errors;
    },
    report,
  });
  await jobs.resume();
  await staging.start();
  const { version } = settings;
  const deliveries = new Deliveries({ database, clock: systemClock, report, version, ...parts.webhooks });
  await deliveries.start();
  return {
    database,
    settings,
    jobs,
    report,
    audit: new Audit(queries),
    staging,
    deliveries,
    telemetry: parts.telemetry ?? NO_TELEMETRY,
    downloads: new Downloads(),
    ...signIn,
  };
}

async function openSignIn(
  queries: Queries,
  issuer: TrustedIssuer | undefined,
): Promise<Pick<HttpService, 'signIn' | 'authenticator'>> {
  if (issuer !== undefined) {
    const url = issuer.url.replace(/\/+$/, '');
    return {
      signIn: {
        kind: 'external',
        url,
        ...(issuer.page !== undefined && { flow: new CodeFlow(url, issuer.page) }),
      },
      authenticator: issuerAuthenticator(queries, issuer, issuer.get),
    };
  }
  const keys = new SigningKeys(queries);
  await keys.rotate();
  return { signIn: { kind: 'embedded', keys }, authenticator: embeddedAuthenticator(queries, keys) };
}
