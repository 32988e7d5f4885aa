/** `stager serve`: the HTTP endpoint. */
import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { openEndpointStager, type Stager } from '../../../compose.ts';
import type { Config } from '../../../config/load.ts';
import { ownVersion } from '../../../machine/host/own-package.ts';
import { trustedAuthorities } from '../../../machine/proxy/authorities.ts';
import { Metrics } from '../../../service/metrics/metrics.ts';
import type { IssuerFetch } from '../../../service/sign-in/code-flow.ts';
import { StagerError } from '../../../words/errors.ts';
import { type Listening, type ServeOptions, serve } from '../../http/serve.ts';
import type { Context } from '../input/context.ts';
import { rootfsName, stagingMeans } from './serve-staging.ts';
import { openTelemetry } from './serve-telemetry.ts';

/** Runs until SIGTERM or SIGINT, which is how it is meant to end: 0. */
export async function serveCommand(context: Context): Promise<number> {
  const { config, output, signal } = context;
  const listening = (facts: Listening): void => {
    if (output.json) output.object({ type: 'listening', ...facts });
    else for (const line of lines(facts)) output.line(line);
    // Now, since kill -9 may be how it ends.
    flushCompileCache();
  };
  const options = optionsOf(config);
  const metrics = new Metrics();
  await using stager = openEndpointStager(config, options.data, metrics.blob);
  const issuer = issuerOf(stager, signal);
  const told = await openTelemetry(context, 'stager serve');
  const [stacks, staging] = [await stacksOf(stager), stagingMeans(stager, options.data)];
  await serve(
    {
      ...options,
      stacks,
      staging,
      work: workOf(config),
      authorities: async () => trustedAuthorities(await stager.extraCas()),
      report: told.report,
      telemetry: told.telemetry,
      metrics,
      ...(issuer !== undefined && { issuer }),
    },
    { signal, listening },
  ).finally(() => told.close());
  return 0;
}

function lines({ url, api, database, adminPassword }: Listening): string[] {
  const where = database === 'embedded' ? 'embedded database' : 'PostgreSQL';
  const first =
    adminPassword === undefined
      ? []
      : [`The password of admin is ${adminPassword} (shown only once; cf auth admin PASSWORD)`];
  return [...first, `stager listens on ${url} (${where}); cf api ${api}`];
}

/** The root file systems of this machine; what stager calls `host` has Cloud Foundry's name for clients. */
async function stacksOf({ stacks, config }: Stager): Promise<ServeOptions['stacks']> {
  const known = await stacks.list();
  return known.map(({ name, description }) => ({
    name: rootfsName(name),
    description: name === 'host' ? `Cloud Foundry Linux file system: ${description}` : description,
    rootfs: name,
    isDefault: name === config.settings.stack,
  }));
}

/** Asked through the proxies and with the authorities that this machine has. */
function issuerOf(stager: Stager, signal: AbortSignal): ServeOptions['issuer'] {
  const { settings, pageClientSecret: secret } = stager.config;
  const { issuer: url, audience, pageClient: id, pageScopes: scopes } = settings;
  if (url === undefined && id !== undefined) {
    throw new StagerError('CONFIG_INVALID', 'the page is a client of an issuer, and there is none', {
      next: 'Give --issuer with --page-client.',
    });
  }
  if (url === undefined) return undefined;
  const get = async (place: string) => {
    const { http } = await stager.remoteHttp(signal);
    const { statusCode, body } = await http.get(place, { throwHttpErrors: false, signal });
    return { status: statusCode, text: body };
  };
  const fetch: IssuerFetch = async (place, { method, headers, body }) => {
    const { http } = await stager.remoteHttp(signal);
    const sent = body instanceof URLSearchParams ? body.toString() : undefined;
    const reply = await http(place, {
      // openid-client knows these two.
      method: method === 'POST' ? 'POST' : 'GET',
      headers,
      ...(sent !== undefined && { body: sent }),
      followRedirect: false,
      throwHttpErrors: false,
      signal,
    });
    const type = reply.headers['content-type'];
    return new Response(reply.body, {
      status: reply.statusCode,
      ...(type !== undefined && { headers: { 'content-type': type } }),
    });
  };
  const page = id === undefined ? {} : { page: { id, secret, scopes, fetch } };
  return { url, audience, get, ...page };
}

/** Who takes builds in this process, and how long others wait for a worker elsewhere. */
function workOf({ settings }: Config): ServeOptions['work'] {
  const {
    noWorker = false,
    largestMemory,
    largestDisk,
    database,
    blobstore,
    slots,
    workerTimeout,
  } = settings;
  if (noWorker && (database === undefined || blobstore === undefined)) {
    throw new StagerError('CONFIG_INVALID', 'workers can reach neither the embedded database nor its blobs', {
      next: 'Give --database postgres://… and --blobstore with --no-worker.',
    });
  }
  const worker = { name: hostname(), version: ownVersion(), capacity: { slots } };
  return {
    worker: noWorker ? undefined : worker,
    waiting: {
      patienceS: Math.ceil(workerTimeout / 1000),
      largest: {
        ...(largestMemory !== undefined && { memoryMb: largestMemory }),
        ...(largestDisk !== undefined && { diskMb: largestDisk }),
      },
    },
  };
}

function optionsOf({
  settings,
  home,
  adminPassword,
}: Config): Omit<
  ServeOptions,
  'stacks' | 'staging' | 'issuer' | 'report' | 'work' | 'authorities' | 'telemetry' | 'metrics'
> {
  const { tlsCert, tlsKey, database, publicUrl, systemDomain } = settings;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new StagerError('CONFIG_INVALID', 'a certificate needs its key, and a key its certificate', {
      next: 'Give --tls-cert and --tls-key together.',
    });
  }
  return {
    host: settings.host,
    port: settings.port,
    data: settings.data ?? join(home, 'serve'),
    insecureHttp: settings.insecureHttp ?? false,
    acceptStart: settings.acceptStart ?? false,
    rateLimit: settings.rateLimit,
    version: ownVersion(),
    ...(database !== undefined && { database }),
    ...(publicUrl !== undefined && { publicUrl }),
    ...(systemDomain !== undefined && { systemDomain }),
    ...(adminPassword !== undefined && { adminPassword }),
    ...(tlsCert !== undefined && tlsKey !== undefined && { tls: { certFile: tlsCert, keyFile: tlsKey } }),
  };
}
