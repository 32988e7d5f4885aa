/** `stager serve`: database, service and server put together and listening, until the signal fires. */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { checkServedLayout } from '../../machine/host/data-layout.ts';
import type { StagingMeans } from '../../service/builds/means.ts';
import type { StagingWork } from '../../service/builds/staging-service.ts';
import { runUpkeep } from '../../service/builds/upkeep.ts';
import { forgetOldEnds } from '../../service/events/build-ends.ts';
import type { Metrics } from '../../service/metrics/metrics.ts';
import { ensureStacks, type NewStack } from '../../service/resources/stacks.ts';
import { ensureAdmin } from '../../service/sign-in/admin.ts';
import { forgetExpiredTokens } from '../../service/sign-in/tokens.ts';
import { type Database, openDatabase } from '../../service/state/database.ts';
import { isDatabaseAway } from '../../service/state/failures.ts';
import { StagerError } from '../../words/errors.ts';
import type { ReportBug } from '../../words/report-bug.ts';
import type { Telemetry } from '../../words/telemetry.ts';
import { ROUTES } from './all-routes.ts';
import { createService, type TrustedIssuer } from './create-service.ts';
import { toldAddresses } from './route/base-url.ts';
import type { HttpService } from './route/service.ts';
import { createServer } from './server.ts';
import { readTlsFiles, type TlsPaths, watchTlsFiles } from './tls-files.ts';

/** What it needs to know. Paths are absolute. */
export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** Directory of the embedded database. */
  readonly data: string;
  /** `postgres://…` instead of the embedded one. */
  readonly database?: string;
  readonly tls?: TlsPaths;
  /** Allows plain HTTP beyond loopback. */
  readonly insecureHttp: boolean;
  readonly publicUrl?: string;
  readonly systemDomain?: string;
  /** Requests a minute of one client; 0: no limit. */
  readonly rateLimit: number;
  /** Takes `start` and `restart`, though nothing runs. */
  readonly acceptStart: boolean;
  readonly adminPassword?: string;
  /** Whose tokens are taken, instead of our own. */
  readonly issuer?: TrustedIssuer;
  readonly version: string;
  /** Made where they are not there yet. */
  readonly stacks: readonly NewStack[];
  readonly staging: StagingMeans;
  /** Whom webhooks are believed by. */
  readonly authorities: () => Promise<readonly string[]>;
  readonly report: ReportBug;
  readonly telemetry: Telemetry;
  readonly metrics: Metrics;
  /** Who takes builds in this process. */
  readonly work: StagingWork;
}

/** What is told once it listens. */
export interface Listening {
  readonly url: string;
  /** What clients are to be given: the same, or the name that the server has elsewhere. */
  readonly api: string;
  readonly database: 'embedded' | 'postgres';
  /** Made up at the very first start; shown once. */
  readonly adminPassword?: string;
}

/** Milliseconds. Expired tokens are forgotten and keys rotated this often. */
const UPKEEP_EVERY_MS = 3_600_000;
/** Days that the feed of events goes back. */
const EVENT_DAYS = 30;
/** Milliseconds. Requests that run at the end may take so long; then their connections are cut. */
const GRACE_MS = 20_000;

/** @throws StagerError CONFIG_INVALID, PORT_IN_USE. */
export async function serve(
  options: ServeOptions,
  { signal, listening }: { readonly signal: AbortSignal; readonly listening: (facts: Listening) => void },
): Promise<void> {
  checkExposure(options);
  const { database: url, data, tls } = options;
  await checkServedLayout(data);
  const certificate = tls === undefined ? undefined : await readTlsFiles(tls);
  const database = await openDatabase(url === undefined ? { dir: join(data, 'database') } : { url });
  await using ends = new AsyncDisposableStack();
  ends.defer(() => database.close());
  const adminPassword =
    options.issuer === undefined ? await ensureAdmin(database.queries, options.adminPassword) : undefined;
  await ensureStacks(database.queries, options.stacks);
  const service = await openService(database, options);
  ends.defer(() => service.jobs.close());
  ends.defer(() => service.staging.close());
  ends.defer(() => service.deliveries.close());
  const server = await createServer(service, {
    routes: ROUTES,
    ...(certificate !== undefined && { tls: certificate }),
  });
  ends.defer(async () => {
    const cut = setTimeout(() => server.server.closeAllConnections(), GRACE_MS);
    await server.close();
    clearTimeout(cut);
  });
  if (tls !== undefined) ends.defer(watchTlsFiles(server.server, tls));
  ends.defer(upkeep(service));
  const listeningOn = await server.listen({ host: options.host, port: options.port }).catch(busy);
  listening({
    ...toldAddresses(options, listeningOn),
    database: database.kind,
    ...(adminPassword !== undefined && { adminPassword }),
  });
  await aborted(signal);
}

async function openService(
  database: Database,
  {
    publicUrl,
    systemDomain,
    acceptStart,
    rateLimit,
    version,
    staging,
    issuer,
    report,
    work,
    authorities,
    telemetry,
    metrics,
  }: ServeOptions,
): Promise<HttpService> {
  const settings = {
    name: 'stager',
    version,
    acceptStart,
    rateLimit,
    ...(publicUrl !== undefined && { publicUrl }),
    ...(systemDomain !== undefined && { systemDomain }),
  };
  return await createService({
    database,
    settings,
    staging,
    report,
    work,
    ...(issuer !== undefined && { issuer }),
    webhooks: { authorities },
    telemetry,
    metrics,
  });
}

/** Passwords and tokens in the clear stay on this machine, unless somebody says that they may not. */
export function checkExposure({
  host,
  tls,
  insecureHttp,
}: Pick<ServeOptions, 'host' | 'tls' | 'insecureHttp'>): void {
  if (tls !== undefined || insecureHttp || isLoopback(host)) return;
  throw new StagerError(
    'CONFIG_INVALID',
    `${host} is not loopback, and passwords would be sent unencrypted`,
    {
      next: 'Give --tls-cert and --tls-key, or --insecure-http if a proxy in front does TLS.',
      details: { host },
    },
  );
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host === 'localhost';
}

function upkeep({ database, signIn, staging, report }: HttpService): () => void {
  const failed = (error: unknown): void => {
    if (!isDatabaseAway(error)) report('the hourly upkeep', error);
  };
  const tasks = {
    ...staging.upkeep(),
    events: async () => ({ deleted: await forgetOldEnds(database.queries, EVENT_DAYS) }),
    tokens: async () => ({ forgotten: await forgetExpiredTokens(database.queries) }),
  };
  const run = async (): Promise<void> => {
    // Every server looks for new keys; the rest is done by one of them.
    if (signIn.kind === 'embedded') await signIn.keys.rotate();
    const turn = { server: hostname(), hourly: true };
    for (const { error } of await runUpkeep(database.queries, tasks, turn))
      if (error !== undefined) failed(error);
  };
  const timer = setInterval(() => void run().catch(failed), UPKEEP_EVERY_MS);
  return () => clearInterval(timer);
}

function busy(cause: unknown): never {
  if (cause instanceof Error && 'code' in cause && (cause.code === 'EADDRINUSE' || cause.code === 'EACCES')) {
    throw new StagerError('PORT_IN_USE', `can't listen: ${cause.message}`, {
      next: 'Give --port another number, or 0 for any free port.',
      cause,
    });
  }
  throw cause;
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
