/** VCAP_PLATFORM_OPTIONS, from which only CredHub's address is read. */
import { failure } from './failure.ts';
import { type GoJson, parseGoJson } from './go/json.ts';

/** CredHub's address, or nothing. @throws DropinFailure with Go's message for what does not decode. */
export function credhubUri(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const parsed = parseGoJson(text);
  if (!parsed.ok) throw failure(parsed.message);
  const { value } = parsed;
  if (value === null) return undefined;
  if (!(value instanceof Map)) {
    throw failure(
      `json: cannot unmarshal ${kindOf(value)} into Go value of type platformoptions.PlatformOptions`,
    );
  }
  let uri = '';
  for (const [key, item] of value) {
    if (key.toLowerCase() !== 'credhub-uri' || item === null) continue;
    if (typeof item !== 'string') {
      const what = kindOf(item);
      throw failure(
        `json: cannot unmarshal ${what} into Go struct field PlatformOptions.credhub-uri of type string`,
      );
    }
    uri = item;
  }
  return uri === '' ? undefined : uri;
}

/** A value's type as Go's decoder names it. */
export function kindOf(value: GoJson): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (value instanceof Map) return 'object';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}
