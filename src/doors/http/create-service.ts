/** Puts the parts together that the door needs: a database in, an {@link HttpService} out. */
import { Jobs } from '../../service/queue/jobs.ts';
import { Audit } from '../../service/resources/audit.ts';
import { seedDomain } from '../../service/resources/domains.ts';
import { embeddedAuthenticator } from '../../service/sign-in/authenticator.ts';
import { type ExternalIssuer, externalAuthenticator } from '../../service/sign-in/external.ts';
import { SigningKeys } from '../../service/sign-in/keys.ts';
import type { Database, Queries } from '../../service/state/database.ts';
import { jobTable } from './job-table.ts';
import { errorAnswer } from './route/cf-errors.ts';
import type { HttpService, HttpSettings } from './route/service.ts';

/** What an app's default route is made in. Nothing answers there: apps run elsewhere. */
const APPS_DOMAIN = 'apps.localhost';

export interface ServiceParts {
  readonly database: Database;
  readonly settings: HttpSettings;
  /** Users sign in there, instead of here. */
  readonly issuer?: ExternalIssuer;
}

/** Keys are there and jobs that were left unfinished are on their way when it returns. */
export async function createService({ database, settings, issuer }: ServiceParts): Promise<HttpService> {
  const { queries } = database;
  await seedDomain(queries, APPS_DOMAIN);
  const jobs = new Jobs({
    queries,
    table: jobTable(database),
    explain: (error) => errorAnswer(error).errors,
  });
  await jobs.resume();
  return {
    database,
    settings,
    jobs,
    audit: new Audit(queries),
    ...(await signInFor(queries, issuer)),
  };
}

async function signInFor(
  queries: Queries,
  issuer: ExternalIssuer | undefined,
): Promise<Pick<HttpService, 'signIn' | 'authenticator'>> {
  if (issuer !== undefined) {
    const authenticator = externalAuthenticator(queries, issuer);
    return { signIn: { kind: 'external', url: issuer.url.replace(/\/+$/, '') }, authenticator };
  }
  const keys = new SigningKeys(queries);
  await keys.rotate();
  return { signIn: { kind: 'embedded', keys }, authenticator: embeddedAuthenticator(queries, keys) };
}
