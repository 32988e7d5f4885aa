/**
 * Replaces CredHub references in VCAP_SERVICES, over mutual TLS with the instance's own certificate
 * (buildpack-contracts.md 1.10).
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GoUrl, parseUrl } from '../../words/go-url.ts';
import type { CredhubRetry } from './builder-flags.ts';
import { credhubDial } from './credhub-proxy.ts';
import { failure } from './failure.ts';
import { withPathError } from './go/errno.ts';
import { call } from './go/http.ts';
import { encodeJson, type GoJson, pairsOf, parseGoJson } from './go/json.ts';
import { clean, join } from './go/path.ts';
import { pemCertificates, systemRoots } from './go/system-roots.ts';
import { kindOf } from './platform-options.ts';

type Env = Readonly<Record<string, string>>;

/** Where to ask and how to show who we are. */
interface Client {
  readonly url: GoUrl;
  readonly ca: readonly string[];
  readonly cert: string;
  readonly key: string;
}

/** The answer can't be the value of a variable. */
class UnsettableServices extends Error {
  constructor() {
    super('Unable to update VCAP_SERVICES with interpolated credhub references: setenv: invalid argument');
  }
}

const TIMEOUT_MS = 45_000;

/**
 * The value that VCAP_SERVICES gets, or undefined when it stays: nothing refers to CredHub, or
 * CREDHUB_SKIP_INTERPOLATION is set.
 *
 * @param stdout takes a line for each attempt that fails.
 * @throws DropinFailure
 */
export async function interpolatedServices(
  uri: string,
  env: Env,
  options: CredhubRetry & { readonly stdout: (text: string) => void },
): Promise<string | undefined> {
  const services = env['VCAP_SERVICES'] ?? '';
  if ((env['CREDHUB_SKIP_INTERPOLATION'] ?? '') !== '' || !services.includes('"credhub-ref"'))
    return undefined;
  const client = clientFor(uri, env);
  // With no attempts allowed the original empties the variable.
  let problem: unknown;
  for (let attempt = 1; attempt <= options.attempts; attempt++) {
    try {
      return await interpolate(client, services, env);
    } catch (error) {
      if (error instanceof UnsettableServices) throw error;
      problem = error;
      const message = error instanceof Error ? error.message : String(error);
      options.stdout(
        `Failed on attempt ${attempt} out of ${options.attempts}: Unable to interpolate credhub references: ${message}\n`,
      );
      await sleep(Math.max(options.delayMs, 0));
    }
  }
  if (problem !== undefined) throw failure('Unable to interpolate credhub references', problem);
  return '';
}

function clientFor(uri: string, env: Env): Client {
  try {
    const certPath = env['CF_INSTANCE_CERT'] ?? '';
    const keyPath = env['CF_INSTANCE_KEY'] ?? '';
    const systemPath = env['CF_SYSTEM_CERT_PATH'] ?? '';
    if (certPath === '' || keyPath === '') throw failure('Missing CF_INSTANCE_CERT and/or CF_INSTANCE_KEY');
    if (systemPath === '') throw failure('Missing CF_SYSTEM_CERT_PATH');
    const authorities = platformAuthorities(clean(systemPath));
    const parsed = parseUrl(uri);
    if (!parsed.ok) throw failure(parsed.message);
    const identity = keyPair(clean(certPath), clean(keyPath));
    const extra = authorities.map((text) => {
      const certificates = pemCertificates(text);
      if (certificates.length === 0) throw failure('provided ca certs are invalid');
      return certificates;
    });
    return { url: parsed.url, ca: [...systemRoots(env), ...extra.flat()], ...identity };
  } catch (error) {
    throw failure('Unable to set up credhub client', error);
  }
}

/** The texts of the `.crt` files in the platform's certificate directory. */
function platformAuthorities(path: string): readonly string[] {
  let names: readonly string[];
  try {
    names = withPathError('open', path, () => readdirSync(path)).toSorted();
  } catch (error) {
    throw failure("Can't read contents of system cert path", error);
  }
  return names
    .filter((name) => name.endsWith('.crt'))
    .map((name) => {
      const file = join(path, name);
      try {
        return withPathError('open', file, () => readFileSync(file, 'utf8'));
      } catch (error) {
        throw failure("Can't read contents of cert in system cert path", error);
      }
    });
}

function keyPair(certPath: string, keyPath: string): { readonly cert: string; readonly key: string } {
  const cert = withPathError('open', certPath, () => readFileSync(certPath, 'utf8'));
  const key = withPathError('open', keyPath, () => readFileSync(keyPath, 'utf8'));
  if (!cert.includes('-----BEGIN')) throw failure('tls: failed to find any PEM data in certificate input');
  if (!key.includes('-----BEGIN')) throw failure('tls: failed to find any PEM data in key input');
  const [leaf] = pemCertificates(cert);
  if (leaf === undefined) throw failure('x509: malformed certificate');
  if (!new X509Certificate(leaf).checkPrivateKey(privateKey(key))) {
    throw failure('tls: private key does not match public key');
  }
  return { cert, key };
}

function privateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw failure('tls: failed to parse private key', error);
  }
}

async function interpolate(client: Client, services: string, env: Env): Promise<string> {
  const document = parseGoJson(services);
  if (!document.ok) throw failure(document.message);
  if (!(document.value instanceof Map) && document.value !== null) {
    const kind = kindOf(document.value);
    throw failure(`json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`);
  }
  const dial = credhubDial(client.url, env);
  const response = await call({
    method: 'POST',
    url: { ...client.url, path: '/api/v1/interpolate', rawPath: '/api/v1/interpolate', rawQuery: undefined },
    body: encodeJson(document.value),
    headers: { 'content-type': 'application/json' },
    env,
    ...(dial !== undefined && { dial }),
    tls: { ca: [...client.ca], cert: client.cert, key: client.key },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    idleMs: TIMEOUT_MS,
  });
  const body = await readText(response.body);
  const { status } = response;
  if (status >= 200 && status < 300) {
    if (body.includes('\0')) throw new UnsettableServices();
    return body;
  }
  throw failure(serverError(status, body));
}

/** What a CredHub server says went wrong. */
function serverError(status: number, body: string): string {
  const parsed = parseGoJson(body);
  if (!parsed.ok) return `The response body could not be decoded: ${parsed.message}`;
  const name = status === 404 ? 'NotFoundError' : 'Error';
  if (!(parsed.value instanceof Map)) {
    const kind = kindOf(parsed.value);
    return `The response body could not be decoded: json: cannot unmarshal ${kind} into Go value of type credhub.${name}`;
  }
  const fields = status === 404 ? ['error'] : ['error', 'error_description'];
  for (const [key, value] of pairsOf(parsed.value)) {
    if (!fields.includes(key) || typeof value === 'string' || value === null) continue;
    return `The response body could not be decoded: json: cannot unmarshal ${kindOf(value)} into Go struct field ${name}.${key} of type string`;
  }
  const error = stringField(parsed.value, 'error');
  const description = status === 404 ? '' : stringField(parsed.value, 'error_description');
  return description === '' ? error : `${error}: ${description}`;
}

function stringField(object: ReadonlyMap<string, GoJson>, name: string): string {
  const value = object.get(name);
  return typeof value === 'string' ? value : '';
}
