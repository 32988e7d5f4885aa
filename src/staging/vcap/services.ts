/** VCAP_SERVICES: service label → bindings (staging-internals.md 4.4), and what is computed from it. */
import { z } from 'zod';
import { StagerError } from '../../words/errors.ts';
import { MAX_VARIABLE_BYTES } from './names.ts';

const binding = z.looseObject({
  name: z.string().nullish(),
  label: z.string().nullish(),
  tags: z.array(z.string()).nullish(),
  credentials: z.record(z.string(), z.unknown()).nullish(),
});
const servicesSchema = z.record(z.string().min(1), z.array(binding));
/** What `cf env` prints and people save: the document under its variable's name. */
const wrappedSchema = z.strictObject({ VCAP_SERVICES: servicesSchema }).transform((it) => it.VCAP_SERVICES);
const anySchema = z.union([wrappedSchema, servicesSchema]);

/** One bound service instance; keys that stager does not know are kept. */
export interface ServiceBinding {
  readonly name?: string | null | undefined;
  readonly label?: string | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  readonly credentials?: Readonly<Record<string, unknown>> | null | undefined;
  readonly [key: string]: unknown;
}

/** Service label → its bindings. */
export type Services = Readonly<Record<string, readonly ServiceBinding[]>>;

/**
 * Parses a VCAP_SERVICES document, bare or as `{"VCAP_SERVICES": …}`.
 *
 * @param where the file or setting it came from, for the message.
 * @throws StagerError SERVICES_INVALID saying where in the document; never quotes a value.
 */
export function parseServices(text: string, where: string): Services {
  const json = parseJson(text);
  if (json === undefined) {
    throw new StagerError('SERVICES_INVALID', `${where}: not a JSON document`, {
      next: 'Give the JSON object that VCAP_SERVICES holds: {"label": [{"name": …, "credentials": {…}}]}.',
      details: { where },
    });
  }
  const parsed = anySchema.safeParse(json.value);
  if (parsed.success) return parsed.data;
  const problems = servicesSchema
    .safeParse(json.value)
    .error?.issues.map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`);
  throw new StagerError('SERVICES_INVALID', `${where}: ${(problems ?? []).slice(0, 5).join('; ')}`, {
    next: 'Every label needs a list of bindings; every binding is an object, and so are its credentials.',
    details: { where, problems },
  });
}

/**
 * The value of VCAP_SERVICES.
 *
 * @throws StagerError SERVICES_INVALID when the kernel would not take the variable.
 */
export function encodeServices(services: Services): string {
  const document = JSON.stringify(services);
  const bytes = Buffer.byteLength(document) + 'VCAP_SERVICES='.length + 1;
  if (bytes <= MAX_VARIABLE_BYTES) return document;
  throw new StagerError(
    'SERVICES_INVALID',
    `VCAP_SERVICES takes ${bytes} bytes; Linux allows ${MAX_VARIABLE_BYTES} for one variable`,
    {
      next: 'Bind fewer services, or shorten their credentials.',
      details: { limitBytes: MAX_VARIABLE_BYTES, actualBytes: bytes },
    },
  );
}

/** Schemes that make a DATABASE_URL, and what Cloud Foundry writes for them. */
const RELATIONAL = new Map([
  ['mysql', 'mysql2'],
  ['mysql2', 'mysql2'],
  ['postgres', 'postgres'],
  ['postgresql', 'postgres'],
]);

/**
 * DATABASE_URL: the first `credentials.uri` with a relational scheme, in the order of the document (the
 * original takes a random one). It overrides what the app set (buildpack-contracts.md 1.10).
 */
export function databaseUrl(services: Services): string | undefined {
  for (const { credentials } of Object.values(services).flat()) {
    const uri = credentials?.['uri'];
    if (typeof uri !== 'string') continue;
    const [, scheme, rest] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(uri) ?? [];
    const written = scheme === undefined ? undefined : RELATIONAL.get(scheme.toLowerCase());
    if (written !== undefined) return `${written}:${rest}`;
  }
  return undefined;
}

const SECRET_KEY = /pass|pwd|secret|token|key|private|cert|sas/i;

/**
 * The strings in all credentials that must not be shown: those whose key says so, and the passwords in URLs.
 * For {@link import('../logs/redact.ts').createRedactor}.
 */
export function secretValues(services: Services): readonly string[] {
  return Object.values(services)
    .flat()
    .flatMap(({ credentials }) => secretsIn(credentials ?? {}, false));
}

function secretsIn(value: unknown, keySaysSo: boolean): readonly string[] {
  if (typeof value === 'string') {
    const password = /:\/\/[^\s/?#:]*:([^\s/?#]+)@/.exec(value)?.[1];
    return [...(keySaysSo ? [value] : []), ...(password === undefined ? [] : [password])];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    secretsIn(inner, keySaysSo || (!Array.isArray(value) && SECRET_KEY.test(key))),
  );
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
