/** YAML that apps and buildpacks write, read as Cloud Foundry's programs read it. Hostile: sizes are bounded. */
import { isAlias, isMap, isScalar } from 'yaml';
import { parseHostileYaml } from '../../../machine/host/hostile-yaml.ts';

/** Largest document in bytes; a Procfile or launch.yml of this size is an accident or an attack. */
const MAX_YAML_BYTES = 1024 * 1024;

/** A parsed value, or why there is none. */
export type YamlOutcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/** Any YAML document as plain data; an empty one is null. Aliases are bounded by the parser. */
export function readYaml(text: string): YamlOutcome<unknown> {
  if (Buffer.byteLength(text) > MAX_YAML_BYTES) {
    return { ok: false, reason: `larger than ${MAX_YAML_BYTES} bytes` };
  }
  const parsed = parseHostileYaml(text);
  return parsed.ok ? { ok: true, value: parsed.value } : parsed;
}

/**
 * A map of strings, as Go's YAML decodes into `map[string]string`: a scalar counts with the text it was written
 * with (`8080`, `yes`), a null value is the empty string, a list or map is refused, an empty document is an empty map.
 * Document order is kept; of two equal keys the last wins.
 */
export function readStringMap(text: string): YamlOutcome<ReadonlyMap<string, string>> {
  if (Buffer.byteLength(text) > MAX_YAML_BYTES) {
    return { ok: false, reason: `larger than ${MAX_YAML_BYTES} bytes` };
  }
  const parsed = parseHostileYaml(text);
  if (!parsed.ok) return parsed;
  const { document } = parsed;
  return stringMapOf(document.contents, (node) => (isAlias(node) ? node.resolve(document) : node));
}

/** The entries of a YAML node that has to be a map of strings. */
export function stringMapOf(
  node: unknown,
  resolve: (node: unknown) => unknown,
): YamlOutcome<ReadonlyMap<string, string>> {
  const map = resolve(node);
  const entries = new Map<string, string>();
  if (map === null || map === undefined || (isScalar(map) && map.value === null))
    return { ok: true, value: entries };
  if (!isMap(map)) return { ok: false, reason: 'not a map of names to commands' };
  for (const { key, value } of map.items) {
    const name = scalarText(resolve(key));
    const text = scalarText(resolve(value));
    if (name === undefined) return { ok: false, reason: 'a name is not a string' };
    if (text === undefined)
      return { ok: false, reason: `the value of ${JSON.stringify(name)} is not a string` };
    entries.set(name, text);
  }
  return { ok: true, value: entries };
}

/** Top-level scalars as they were written: `version: 1.10` is `1.10`, not 1.1. Others are left out. */
export function readScalars(text: string, keys: readonly string[]): Readonly<Record<string, string>> {
  // Parsing takes longer than all else that is asked of a manifest. A key that is not in the text, nor can be in it as an
  // escape, is not in the document.
  if (!/\\[xuU]/.test(text) && !keys.some((key) => new RegExp(`\\b${key}\\b`).test(text))) return {};
  const parsed = parseHostileYaml(text);
  if (!parsed.ok) return {};
  const { document } = parsed;
  const { contents } = document;
  if (!isMap(contents)) return {};
  const found = keys.flatMap((key): readonly (readonly [string, string])[] => {
    const node = contents.get(key, true);
    const written = scalarText(isAlias(node) ? node.resolve(document) : node);
    return written === undefined || written === '' ? [] : [[key, written]];
  });
  return Object.fromEntries(found);
}

function scalarText(node: unknown): string | undefined {
  if (node === null || node === undefined) return '';
  if (!isScalar(node)) return undefined;
  if (typeof node.value === 'string') return node.value;
  return node.value === null ? '' : (node.source ?? String(node.value));
}
