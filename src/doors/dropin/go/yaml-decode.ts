/**
 * Decodes YAML into shapes as Go's yaml.v2 does: a value of the wrong type is noted and skipped, what could be
 * read is kept, unknown keys are ignored, of equal keys the last wins.
 */
import { Unencodable } from './json.ts';
import { YamlProblem } from './yaml-cursor.ts';
import { readYamlTree, type ScalarNode, type YamlNode } from './yaml-node.ts';
import { resolveScalar, shortTag, TAG } from './yaml-resolve.ts';

/** How to read one Go type. `name` is the type as Go prints it. */
export interface GoShape<T> {
  readonly name: string;
  zero(): T;
  /** The value of a node that is not an alias and not null; undefined when it does not fit. */
  read(decoder: Decoder, node: YamlNode, current: T): { readonly value: T } | undefined;
}

/** What came out: the value, partial when there is a message (which begins with `yaml: `). */
export interface Decoded<T> {
  readonly value: T;
  readonly message?: string;
}

/** Decodes the first document of `text` over `start`. */
export function decodeYaml<T>(shape: GoShape<T>, text: string, start: T = shape.zero()): Decoded<T> {
  const decoder = new Decoder();
  const holder = { value: start };
  try {
    const tree = readYamlTree(text);
    if (tree !== undefined) holder.value = decoder.decode(shape, tree, start)?.value ?? start;
  } catch (error) {
    if (error instanceof YamlProblem) return { value: holder.value, message: `yaml: ${error.message}` };
    // Nested until the parser's stack is full.
    if (error instanceof RangeError)
      return { value: holder.value, message: 'yaml: exceeded max depth of 10000' };
    throw error;
  }
  if (decoder.problems.length === 0) return { value: holder.value };
  return { value: holder.value, message: `yaml: unmarshal errors:\n  ${decoder.problems.join('\n  ')}` };
}

/** The state of one decoding. */
export class Decoder {
  readonly problems: string[] = [];
  readonly #open = new Set<YamlNode>();
  #steps = 0;
  #aliasSteps = 0;

  /** Reads `node` as `shape`; undefined when it does not fit, which is noted. */
  decode<T>(shape: GoShape<T>, node: YamlNode, current: T): { readonly value: T } | undefined {
    this.#count();
    if (node.kind === 'alias') {
      if (this.#open.has(node)) throw new YamlProblem(`anchor '${node.name}' value contains itself`);
      this.#open.add(node);
      const value = this.decode(shape, node.target, current);
      this.#open.delete(node);
      return value;
    }
    if (isNull(node)) return { value: shape.zero() };
    return shape.read(this, node, current);
  }

  mismatch(node: YamlNode, guessed: string, type: string): undefined {
    const tag = node.kind === 'scalar' && node.tag !== '' ? node.tag : guessed;
    const text = node.kind === 'scalar' ? node.value : '';
    const shown = Buffer.byteLength(text) > 10 ? `${Buffer.from(text).toString('utf8', 0, 7)}...` : text;
    const value = tag === TAG.seq || tag === TAG.map ? '' : ` \`${shown}\``;
    this.problems.push(`line ${node.line}: cannot unmarshal ${shortTag(tag)}${value} into ${type}`);
    return undefined;
  }

  /** The limit of yaml.v2 against documents that alias themselves into gigabytes. */
  #count(): void {
    this.#steps++;
    if (this.#open.size > 0) this.#aliasSteps++;
    if (this.#aliasSteps <= 100 || this.#steps <= 1000) return;
    const range = Math.min(Math.max(this.#steps - 400_000, 0) / 3_600_000, 1);
    if (this.#aliasSteps / this.#steps > 0.99 - 0.89 * range) {
      throw new YamlProblem('document contains excessive aliasing');
    }
  }
}

function isNull(node: YamlNode): boolean {
  if (node.kind !== 'scalar' || (node.tag === '' && !node.plain)) return false;
  return node.tag === TAG.null || resolveScalar(node.tag, node.value).value === null;
}

/** What a scalar holds; a quoted one is a string whatever it looks like. */
function scalarValue(node: ScalarNode): ReturnType<typeof resolveScalar> {
  if (node.tag === '' && !node.plain) return { tag: TAG.str, value: node.value };
  const resolved = resolveScalar(node.tag, node.value);
  if (resolved.tag !== TAG.binary) return resolved;
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(node.value)) {
    throw new YamlProblem('!!binary value contains invalid base64 data');
  }
  return { tag: TAG.binary, value: Buffer.from(node.value, 'base64').toString('utf8') };
}

function collectionTag(node: YamlNode): string {
  return node.kind === 'mapping' ? TAG.map : TAG.seq;
}

/** Go's string: any scalar, with the text it was written with. */
export const stringShape: GoShape<string> = {
  name: 'string',
  zero: () => '',
  read(decoder, node) {
    if (node.kind !== 'scalar') return decoder.mismatch(node, collectionTag(node), 'string');
    const { tag, value } = scalarValue(node);
    return { value: tag === TAG.binary ? String(value) : node.value };
  },
};

/** Go's int; a float is cut. */
export const intShape: GoShape<bigint> = {
  name: 'int',
  zero: () => 0n,
  read(decoder, node) {
    if (node.kind !== 'scalar') return decoder.mismatch(node, collectionTag(node), 'int');
    const { tag, value } = scalarValue(node);
    if (typeof value === 'bigint' && value < 2n ** 63n) return { value };
    if (typeof value === 'number' && Math.abs(value) < 2 ** 63) return { value: BigInt(Math.trunc(value)) };
    return decoder.mismatch(node, tag, 'int');
  },
};

/** A Go slice; items that do not fit are left out. */
export function listShape<T>(of: GoShape<T>, name = `[]${of.name}`): GoShape<readonly T[]> {
  return {
    name,
    zero: () => [],
    read(decoder, node) {
      if (node.kind === 'scalar') return decoder.mismatch(node, scalarValue(node).tag, name);
      if (node.kind !== 'sequence') return decoder.mismatch(node, TAG.map, name);
      const items = node.items.flatMap((item) => {
        const read = decoder.decode(of, item, of.zero());
        return read === undefined ? [] : [read.value];
      });
      return { value: items };
    },
  };
}

/** A Go struct whose yaml names are the keys of `fields`. */
export function structShape<T extends object>(
  name: string,
  fields: { readonly [K in keyof T]: GoShape<T[K]> },
  zero: () => T,
): GoShape<T> {
  const known = new Map<string, (decoder: Decoder, node: YamlNode, into: T) => void>();
  for (const key in fields) known.set(key, fieldReader(key, fields[key]));
  const read = (decoder: Decoder, node: YamlNode, into: T): { readonly value: T } | undefined => {
    if (node.kind === 'scalar') return decoder.mismatch(node, scalarValue(node).tag, name);
    if (node.kind !== 'mapping') return decoder.mismatch(node, TAG.seq, name);
    for (const [key, value] of node.pairs) {
      if (isMerge(key)) merge(value, (it) => decoder.decode({ name, zero, read }, it, into));
      else {
        const field = decoder.decode(stringShape, key, '');
        if (field !== undefined) known.get(field.value)?.(decoder, value, into);
      }
    }
    return { value: into };
  };
  return { name, zero, read: (decoder, node, current) => read(decoder, node, { ...current }) };
}

function fieldReader<T, K extends keyof T>(
  key: K,
  shape: GoShape<T[K]>,
): (decoder: Decoder, node: YamlNode, into: T) => void {
  return (decoder, node, into) => {
    const read = decoder.decode(shape, node, into[key]);
    if (read !== undefined) into[key] = read.value;
  };
}

/** A Go map with string keys; entries that do not fit are left out. */
export function mapShape<T>(of: GoShape<T>, name = `map[string]${of.name}`): GoShape<ReadonlyMap<string, T>> {
  const fill = (decoder: Decoder, node: YamlNode, into: Map<string, T>): boolean => {
    if (node.kind === 'scalar') return decoder.mismatch(node, scalarValue(node).tag, name) ?? false;
    if (node.kind !== 'mapping') return decoder.mismatch(node, TAG.seq, name) ?? false;
    for (const [key, value] of node.pairs) {
      if (isMerge(key)) {
        merge(value, (it) => fill(decoder, it.kind === 'alias' ? it.target : it, into));
        continue;
      }
      const name = decoder.decode(stringShape, key, '');
      const read = name === undefined ? undefined : decoder.decode(of, value, of.zero());
      if (name !== undefined && read !== undefined) into.set(name.value, read.value);
    }
    return true;
  };
  return {
    name,
    zero: () => new Map(),
    read(decoder, node, current) {
      const into = new Map(current);
      return fill(decoder, node, into) ? { value: into } : undefined;
    },
  };
}

/** A Go pointer; null leaves it nil. */
export function pointerShape<T>(to: GoShape<T>): GoShape<T | undefined> {
  return {
    name: `*${to.name}`,
    zero: () => undefined,
    read(decoder, node, current) {
      // The pointer is set before its target is read, so it stays set when that fails.
      return { value: decoder.decode(to, node, current ?? to.zero())?.value ?? current ?? to.zero() };
    },
  };
}

/** Go's interface{}. A map in it has no JSON form in Go, which is how nested output_metadata fails a staging. */
export const anyShape: GoShape<unknown> = {
  name: 'interface {}',
  zero: () => null,
  read(decoder, node) {
    if (node.kind === 'scalar') return { value: scalarValue(node).value };
    if (node.kind === 'sequence') return { value: listShape(anyShape).read(decoder, node, [])?.value };
    return { value: new Unencodable('json: unsupported type: map[interface {}]interface {}') };
  },
};

function isMerge(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.value === '<<' && (node.plain || node.tag === TAG.merge);
}

/** Calls `take` for each map that `<<` names, the one that counts most last. */
function merge(node: YamlNode, take: (node: YamlNode) => void): void {
  const isMapping = (it: YamlNode): boolean => (it.kind === 'alias' ? it.target : it).kind === 'mapping';
  const sources = node.kind === 'sequence' ? [...node.items].reverse() : [node];
  for (const source of sources) {
    if (!isMapping(source)) {
      throw new YamlProblem('map merge requires map or sequence of maps as the value');
    }
    take(source);
  }
}
