/**
 * What applying a manifest would change, as a JSON patch with the old values: only keys that the manifest has, since
 * applying touches no others. Sizes that are equal in another unit are equal.
 */
import { canonicalKey } from '../../staging/manifest/schema.ts';
import { parseMegabytes } from '../../words/units.ts';
import type { AppDocument } from './document.ts';

export interface Change {
  readonly op: 'add' | 'replace';
  readonly path: string;
  readonly was?: unknown;
  readonly value: unknown;
}

/** Not for a terminal. */
const SECRETS = 'cnb-credentials';
/** Keys that say what to do rather than what should be, and those of the client. */
const NO_STATE = new Set(['path', 'default-route', 'random-route', 'no-route', 'buildpack', SECRETS]);
/** Lists whose entries have a name: which key it is. */
const NAMED = new Map([
  ['processes', 'type'],
  ['sidecars', 'name'],
  ['routes', 'route'],
]);
const SIZES = new Set(['memory', 'disk-quota']);

/** @param now undefined when there is no such app yet. */
export function diffOfApp(wish: AppDocument, now: AppDocument | undefined, index: number): readonly Change[] {
  const root = `/applications/${index}`;
  if (now === undefined)
    return Object.entries(wish).flatMap(([key, value]) =>
      canonicalKey(key) === SECRETS ? [] : added(`${root}/${key}`, value),
    );
  const web = entriesOf(now['processes']).find((process) => process['type'] === 'web') ?? {};
  // What an application says beside its processes is about web.
  const base = { ...canonical(web), ...canonical(now) };
  return Object.entries(wish).flatMap(([key, value]) => {
    const name = canonicalKey(key);
    if (NO_STATE.has(name) || name === 'type') return [];
    return changesAt(`${root}/${key}`, name, { value, was: base[name] });
  });
}

function changesAt(
  path: string,
  key: string,
  { value, was }: { readonly value: unknown; readonly was: unknown },
): readonly Change[] {
  const naming = NAMED.get(key);
  if (naming !== undefined && Array.isArray(value)) {
    const before = entriesOf(was);
    return entriesOf(value).flatMap((entry, at) => {
      const twin = before.find((it) => it[naming] === entry[naming]);
      if (twin === undefined) return added(`${path}/${at}`, entry);
      const known = canonical(twin);
      return Object.entries(entry).flatMap(([name, item]) =>
        changesAt(`${path}/${at}/${name}`, canonicalKey(name), {
          value: item,
          was: known[canonicalKey(name)],
        }),
      );
    });
  }
  if (isMap(value) && (isMap(was) || was === undefined)) {
    const before = new Map(Object.entries(was ?? {}));
    return Object.entries(value).flatMap(([name, item]) =>
      changesAt(`${path}/${name}`, '', { value: item, was: before.get(name) }),
    );
  }
  if (isSame(key, value, was)) return [];
  return was === undefined ? added(path, value) : [{ op: 'replace', path, was, value }];
}

function added(path: string, value: unknown): readonly Change[] {
  return value === undefined ? [] : [{ op: 'add', path, value }];
}

function isSame(key: string, value: unknown, was: unknown): boolean {
  if (SIZES.has(key)) return sizeOf(value) === sizeOf(was);
  if (value === null) return was === undefined || was === null;
  if (typeof value === 'object' || typeof was === 'object')
    return JSON.stringify(value) === JSON.stringify(was);
  return was !== undefined && String(value) === String(was);
}

function sizeOf(value: unknown): unknown {
  return parseMegabytes(String(value)) ?? value;
}

function canonical(map: AppDocument): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [canonicalKey(key), value]));
}

function entriesOf(value: unknown): readonly AppDocument[] {
  return Array.isArray(value) ? value.filter(isMap) : [];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
