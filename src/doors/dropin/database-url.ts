/** DATABASE_URL from VCAP_SERVICES, as strict about the document's types as the original. */

import { formatUrl, parseUrl } from '../../words/go-url.ts';
import { type GoJson, pairsOf, parseGoJson } from './go/json.ts';

const SCHEMES = new Map([
  ['mysql', 'mysql2'],
  ['mysql2', 'mysql2'],
  ['postgres', 'postgres'],
  ['postgresql', 'postgres'],
]);

/**
 * The first `credentials.uri` with a relational scheme, its scheme rewritten and the rest as Go writes a URL
 * (userinfo is escaped again). Undefined when there is none, or when anything in the document has another type
 * than Cloud Foundry gives it. The original takes the services in random order; this is the document's.
 */
export function goDatabaseUrl(services: string): string | undefined {
  const parsed = parseGoJson(services);
  const uris = parsed.ok ? urisOf(parsed.value) : undefined;
  for (const uri of uris ?? []) {
    const url = parseUrl(uri);
    const scheme = url.ok ? SCHEMES.get(url.url.scheme) : undefined;
    if (url.ok && scheme !== undefined) return formatUrl({ ...url.url, scheme });
  }
  return undefined;
}

/** All `credentials.uri` that are not empty; undefined when the document does not decode. */
function urisOf(document: GoJson): readonly string[] | undefined {
  if (!(document instanceof Map)) return document === null ? [] : undefined;
  const found: string[] = [];
  for (const bindings of document.values()) {
    if (bindings === null) continue;
    if (!Array.isArray(bindings)) return undefined;
    for (const binding of bindings) {
      const uri = uriOf(binding);
      if (uri === undefined) return undefined;
      if (uri !== '') found.push(uri);
    }
  }
  return found;
}

/** Field names count in any case, as everywhere in Go's JSON. Undefined for a wrong type. */
function uriOf(binding: GoJson): string | undefined {
  let uri = '';
  for (const credentials of fields(binding, 'credentials') ?? [undefined]) {
    if (credentials === undefined) return undefined;
    for (const value of fields(credentials, 'uri') ?? [0]) {
      if (typeof value === 'string') uri = value;
      else if (value !== null) return undefined;
    }
  }
  return uri;
}

/** The values of `name` in an object; undefined when `value` is neither an object nor null. */
function fields(value: GoJson, name: string): readonly GoJson[] | undefined {
  if (value === null) return [];
  if (!(value instanceof Map)) return undefined;
  return pairsOf(value).flatMap(([key, item]) => (key.toLowerCase() === name ? [item] : []));
}
