/** Places in a manifest: the line of a value, and the keys that are not used. */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type Pair, visit, type YAMLMap } from 'yaml';
import { canonicalKey, KNOWN_KEYS } from './schema.ts';

/** A parsed manifest with its lines. */
export interface Places {
  readonly file: string;
  readonly document: Document;
  readonly lineOf: (node: unknown) => number;
}

/** The line of what `path` leads to, or of the last part of it that is there. */
export function lineAt({ document, lineOf }: Places, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let line = lineOf(node);
  for (const step of path) {
    const here = followed(document, node);
    if (isSeq(here) && typeof step === 'number') {
      node = here.items[step];
    } else if (isMap(here)) {
      const pair = pairsOf(document, here).findLast(({ key }) => canonicalKey(key) === step || key === step);
      if (pair === undefined) return line;
      line = lineOf(pair.pair.key);
      node = pair.pair.value;
      continue;
    } else return line;
    line = lineOf(node);
  }
  return line;
}

/**
 * One sentence with its line for each key of an application, process or sidecar that nothing reads, for each that is
 * given twice, and for what stands beside the applications without an anchor: nothing can merge it in.
 */
export function keyWarnings(places: Places): readonly string[] {
  const { document } = places;
  const root = followed(document, document.contents);
  if (!isMap(root)) return [];
  const found = new Map<Pair, string>();
  for (const { key, pair } of pairsOf(document, root)) {
    if (key === 'applications') lookThrough(places, found, pair.value, 'application');
    else if (key !== 'version' && !holdsAnchor(pair)) {
      found.set(
        pair,
        `key ${shown(key)} next to the applications is ignored: it has no anchor, so nothing can use it`,
      );
    }
  }
  return [...found]
    .map(([pair, text]) => ({ line: places.lineOf(pair.key), text }))
    .sort((a, b) => a.line - b.line)
    .map(({ line, text }) => `${places.file}:${line}: ${text}`);
}

type Kind = keyof typeof KNOWN_KEYS;

/** The maps of a list, each of the same kind. A map that aliases share is looked at once. */
function lookThrough(places: Places, found: Map<Pair, string>, list: unknown, kind: Kind): void {
  const { document } = places;
  const items = followed(document, list);
  if (!isSeq(items)) return;
  for (const item of items.items) {
    const map = followed(document, item);
    if (!isMap(map)) continue;
    for (const { key, pair } of pairsOf(document, map)) {
      const name = canonicalKey(key);
      if (!KNOWN_KEYS[kind].has(name) && !key.includes('((')) {
        found.set(pair, `unknown key ${shown(key)} is ignored`);
      } else if (kind === 'application' && name === 'processes') {
        lookThrough(places, found, pair.value, 'process');
      } else if (kind === 'application' && name === 'sidecars') {
        lookThrough(places, found, pair.value, 'sidecar');
      }
    }
    for (const pair of givenTwice(map)) {
      found.set(pair, `key ${shown(textOf(pair.key))} is given twice: the last one counts`);
    }
    for (const pair of beforeMerge(document, map)) {
      found.set(pair, `key ${shown(textOf(pair.key))} counts, but cf uses the one that << merges after it`);
    }
  }
}

interface KeyedPair {
  readonly key: string;
  readonly pair: Pair;
}

/** The pairs of a map, those that it merges in first; they count less. */
function pairsOf(document: Document, map: YAMLMap, open: readonly YAMLMap[] = []): readonly KeyedPair[] {
  if (open.includes(map)) return [];
  const merged: KeyedPair[] = [];
  const own: KeyedPair[] = [];
  for (const pair of map.items) {
    const key = textOf(pair.key);
    if (key !== '<<') {
      own.push({ key, pair });
      continue;
    }
    const sources = followed(document, pair.value);
    for (const source of isSeq(sources) ? sources.items : [sources]) {
      const from = followed(document, source);
      if (isMap(from)) merged.push(...pairsOf(document, from, [...open, map]));
    }
  }
  return [...merged, ...own];
}

function givenTwice(map: YAMLMap): readonly Pair[] {
  const seen = new Set<string>();
  return map.items.filter(({ key }) => {
    const text = textOf(key);
    if (text === '<<' || !seen.has(text)) {
      seen.add(text);
      return false;
    }
    return true;
  });
}

/** Go's YAML lets a merge overwrite what stands before it, against the standard. */
function beforeMerge(document: Document, map: YAMLMap): readonly Pair[] {
  const merge = map.items.findLastIndex(({ key }) => textOf(key) === '<<');
  const own = map.items.slice(0, Math.max(merge, 0));
  const merged = new Set(
    pairsOf(document, map).flatMap(({ key, pair }) => (map.items.includes(pair) ? [] : [key])),
  );
  return own.filter(({ key }) => merged.has(textOf(key)));
}

function followed(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

/** A merge key's value is a symbol; as it was written it is `<<`. */
function textOf(key: unknown): string {
  if (!isScalar(key)) return '';
  return typeof key.value === 'symbol' ? '<<' : (key.source ?? String(key.value));
}

function holdsAnchor({ value }: Pair): boolean {
  let found = false;
  if (!isNode(value)) return found;
  visit(value, {
    Value(_, { anchor }) {
      if (anchor === undefined) return undefined;
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

/** A key as it can stand in a line on a terminal. */
function shown(key: string): string {
  return /^[\w.-]{1,80}$/.test(key) ? key : JSON.stringify(key.slice(0, 80));
}
