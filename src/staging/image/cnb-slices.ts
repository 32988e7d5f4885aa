/** The app of Cloud Native Buildpacks as layers: one for each slice that a buildpack asked for, and one for the rest. */
import { readable, walkRoots } from '../droplet/tar/tree-walk.ts';
import { IMAGE_HOME, type LayerPlan, treeLayer } from './layer-entries.ts';

const APP = `${IMAGE_HOME}/workspace`;

/** The layers; what an earlier slice has is in no later one, and a slice without files is a layer all the same. */
export function appLayers(app: string, slices: readonly (readonly string[])[]): readonly LayerPlan[] {
  const taken = new Set<string>();
  const plans = slices.map((patterns, index): LayerPlan => {
    const own = new Set(slicePaths(app, patterns).filter((name) => !covers(taken, name)));
    const before = new Set(taken);
    for (const name of own) taken.add(name);
    const above = new Set([...own].flatMap((name) => ancestors(name)));
    const leaveOut = (name: string): boolean => before.has(name) || !(above.has(name) || covers(own, name));
    return {
      title: `Application Slice: ${index + 1}`,
      entries: treeLayer({ from: app, to: APP }, leaveOut),
    };
  });
  const title = slices.length === 0 ? 'Application Layer' : `Application Slice: ${slices.length + 1}`;
  return [...plans, { title, entries: treeLayer({ from: app, to: APP }, (name) => taken.has(name)) }];
}

/** Names in the archive that a pattern means; a directory with all below it. */
function slicePaths(app: string, patterns: readonly string[]): readonly string[] {
  const wanted = patterns.map(pathPattern);
  const undo: (() => void)[] = [];
  const found: string[] = [];
  try {
    const options = { onSkipped: () => undefined, atEnd: (it: () => void) => void undo.push(it) };
    for (const { name } of walkRoots([{ kind: 'tree', hostPath: app, archivePath: APP }], options)) {
      const path = name.replace(/\/$/, '');
      const below = readable(path.slice(APP.length + 1));
      if (below !== '' && wanted.some((pattern) => pattern.test(below))) found.push(path);
    }
  } finally {
    for (const back of undo) back();
  }
  return found;
}

/** Whether `name` is one of them, or below one. */
const covers = (names: ReadonlySet<string>, name: string): boolean =>
  names.has(name) || ancestors(name).some((above) => names.has(above));

function ancestors(name: string): readonly string[] {
  const parts = name.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** Go's `filepath.Match`: `*` and `?` stop at a slash, classes may be negated, a backslash quotes. What is no pattern matches nothing. */
export function pathPattern(given: string): RegExp {
  const pattern = given.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '');
  const source = pattern.replace(
    /\\(.)|\*|\?|\[(\^?)((?:\\.|[^\]\\])+)\]|[\s\S]/gu,
    (text, quoted, not, set) => {
      if (quoted !== undefined) return literalOf(quoted);
      if (text === '*') return '[^/]*';
      if (text === '?') return '[^/]';
      if (set !== undefined) return `(?!/)[${not}${classOf(set)}]`;
      return literalOf(text);
    },
  );
  try {
    return new RegExp(`^${source}$`, 'su');
  } catch {
    return /(?!)/;
  }
}

/** What is between brackets; only a dash between two characters is one of the pattern. */
function classOf(set: string): string {
  return set.replace(/\\(.)|-|[\s\S]/gu, (text, quoted) => (text === '-' ? '-' : literalOf(quoted ?? text)));
}

/** One character, with no meaning of its own. */
const literalOf = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
