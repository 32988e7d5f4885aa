/**
 * Tokens to the tree that yaml.v2 decodes from: the grammar of YAML 1.1, one document, looked at no further than its
 * end. Messages and the lines that they name are libyaml's.
 */
import { YamlProblem } from './yaml-cursor.ts';
import type { MappingNode, SequenceNode, YamlNode } from './yaml-node.ts';
import { Scanner } from './yaml-scanner.ts';
import type { Token } from './yaml-tokens.ts';

type Kind = Token['kind'];

/** Where a node stands. `value`: as key or value of a block mapping, whose sequences need not be indented. */
type Place = 'block' | 'value' | 'flow';

const kinds = (...list: readonly Kind[]): ReadonlySet<Kind> => new Set(list);
const DIRECTIVES = kinds('version', 'tag-directive');
const DOCUMENT_LIMITS = kinds('version', 'tag-directive', 'document-start', 'document-end', 'stream-end');
const NO_BLOCK_ITEM = kinds('block-entry', 'block-end');
const NO_INDENTLESS_ITEM = kinds('block-entry', 'key', 'value', 'block-end');
const NO_BLOCK_PART = kinds('key', 'value', 'block-end');
const NO_FLOW_PAIR_KEY = kinds('value', 'flow-entry', 'flow-sequence-end');
const NO_FLOW_PAIR_VALUE = kinds('flow-entry', 'flow-sequence-end');
const NO_FLOW_KEY = kinds('value', 'flow-entry', 'flow-mapping-end');
const NO_FLOW_VALUE = kinds('flow-entry', 'flow-mapping-end');

/** Reads the first document of a text. */
export class TreeParser {
  readonly #tokens: Scanner;
  readonly #anchors = new Map<string, YamlNode>();
  readonly #handles = new Map<string, string>();

  constructor(text: string) {
    this.#tokens = new Scanner(text);
  }

  /** The root; undefined when there is no document. @throws YamlProblem */
  document(): YamlNode | undefined {
    const { kind } = this.#tokens.peek();
    if (kind === 'stream-end') return undefined;
    const isExplicit = kind === 'document-start' || DIRECTIVES.has(kind);
    this.#readDirectives();
    if (isExplicit) {
      const start = this.#tokens.peek();
      if (start.kind !== 'document-start') throw problem('did not find expected <document start>', start);
      this.#tokens.take();
    }
    const next = this.#tokens.peek();
    const root = isExplicit && DOCUMENT_LIMITS.has(next.kind) ? empty(next) : this.#node('block');
    // What follows is not read, but a mistake in its first token counts.
    this.#tokens.peek();
    return root;
  }

  #readDirectives(): void {
    let hasVersion = false;
    for (let next = this.#tokens.peek(); DIRECTIVES.has(next.kind); next = this.#tokens.peek()) {
      if (next.kind === 'version') {
        if (hasVersion) throw problem('found duplicate %YAML directive', next);
        if (next.version !== '1.1') throw problem('found incompatible YAML document', next);
        hasVersion = true;
      } else if (next.kind === 'tag-directive') {
        if (this.#handles.has(next.handle)) throw problem('found duplicate %TAG directive', next);
        this.#handles.set(next.handle, next.prefix);
      }
      this.#tokens.take();
    }
    if (!this.#handles.has('!')) this.#handles.set('!', '!');
    if (!this.#handles.has('!!')) this.#handles.set('!!', 'tag:yaml.org,2002:');
  }

  #node(place: Place): YamlNode {
    const first = this.#tokens.peek();
    const line = first.line + 1;
    if (first.kind === 'alias') {
      this.#tokens.take();
      const target = this.#anchors.get(first.name);
      if (target === undefined) throw new YamlProblem(`unknown anchor '${first.name}' referenced`);
      return { kind: 'alias', line, name: first.name, target };
    }
    const { anchor, tag } = this.#properties();
    const next = this.#tokens.peek();
    const node = nodeOf(next, place, { line, tag, isNamed: anchor !== undefined });
    // Before what is in it: it may refer to itself.
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    if (next.kind === 'scalar') this.#tokens.take();
    else if (node.kind === 'sequence') this.#fillSequence(node, next.kind);
    else if (node.kind === 'mapping') this.#fillMapping(node, next.kind);
    return node;
  }

  /** Anchor and tag, in either order. */
  #properties(): { readonly anchor: string | undefined; readonly tag: string } {
    let anchor: string | undefined;
    let tag: Extract<Token, { kind: 'tag' }> | undefined;
    for (let next = this.#tokens.peek(); ; next = this.#tokens.peek()) {
      if (next.kind === 'anchor' && anchor === undefined) anchor = next.name;
      else if (next.kind === 'tag' && tag === undefined) tag = next;
      else break;
      this.#tokens.take();
    }
    return { anchor, tag: tag === undefined ? '' : this.#longTag(tag) };
  }

  #longTag(tag: Extract<Token, { kind: 'tag' }>): string {
    if (tag.handle === '') return tag.suffix;
    const prefix = this.#handles.get(tag.handle);
    if (prefix === undefined) throw problem('found undefined tag handle', tag);
    return prefix + tag.suffix;
  }

  #fillSequence(node: SequenceNode, kind: Kind): void {
    if (kind === 'flow-sequence') this.#flowSequence(node);
    else if (kind === 'block-sequence') this.#blockSequence(node);
    else this.#items(node, NO_INDENTLESS_ITEM);
  }

  #fillMapping(node: MappingNode, kind: Kind): void {
    this.#tokens.take();
    if (kind === 'flow-mapping') this.#flowMapping(node);
    else this.#blockMapping(node);
  }

  #blockSequence(node: SequenceNode): void {
    this.#tokens.take();
    this.#items(node, NO_BLOCK_ITEM);
    const end = this.#tokens.take();
    if (end.kind !== 'block-end') throw problem("did not find expected '-' indicator", end);
  }

  #items(node: SequenceNode, none: ReadonlySet<Kind>): void {
    for (let next = this.#tokens.peek(); next.kind === 'block-entry'; next = this.#tokens.peek()) {
      this.#tokens.take();
      node.items.push(this.#nodeUnless(none, 'block', next));
    }
  }

  /** A node, or an empty scalar where one of the tokens `none` comes next; its line is that of `before`, or of the token. */
  #nodeUnless(none: ReadonlySet<Kind>, place: Place, before?: Token): YamlNode {
    const next = this.#tokens.peek();
    return none.has(next.kind) ? empty(before ?? next) : this.#node(place);
  }

  #blockMapping(node: MappingNode): void {
    for (let next = this.#tokens.peek(); next.kind === 'key'; next = this.#tokens.peek()) {
      this.#tokens.take();
      const key = this.#nodeUnless(NO_BLOCK_PART, 'value', next);
      const colon = this.#tokens.peek();
      if (colon.kind === 'value') this.#tokens.take();
      const value = colon.kind === 'value' ? this.#nodeUnless(NO_BLOCK_PART, 'value', colon) : empty(colon);
      node.pairs.push([key, value]);
    }
    const end = this.#tokens.take();
    if (end.kind !== 'block-end') throw problem('did not find expected key', end);
  }

  #flowSequence(node: SequenceNode): void {
    this.#tokens.take();
    for (let isFirst = true; ; isFirst = false) {
      const next = this.#flowEntry('flow-sequence-end', isFirst);
      if (next === undefined) return;
      if (next.kind !== 'key') node.items.push(this.#node('flow'));
      else node.items.push(this.#flowPair(next));
    }
  }

  /** `[a: b]`: a mapping of one pair without braces. */
  #flowPair(start: Token): MappingNode {
    this.#tokens.take();
    const isKey = !NO_FLOW_PAIR_KEY.has(this.#tokens.peek().kind);
    // What stands in place of a key is left behind, as in the original.
    const key = isKey ? this.#node('flow') : empty(this.#tokens.take());
    const value = this.#flowValue(NO_FLOW_PAIR_VALUE);
    return { kind: 'mapping', line: start.line + 1, pairs: [[key, value]] };
  }

  #flowMapping(node: MappingNode): void {
    for (let isFirst = true; ; isFirst = false) {
      const next = this.#flowEntry('flow-mapping-end', isFirst);
      if (next === undefined) return;
      if (next.kind === 'key') {
        this.#tokens.take();
        node.pairs.push([this.#nodeUnless(NO_FLOW_KEY, 'flow'), this.#flowValue(NO_FLOW_VALUE)]);
      } else node.pairs.push([this.#node('flow'), empty(this.#tokens.peek())]);
    }
  }

  /** The first token of the next entry; undefined when the collection ends, whose last token is then left behind. */
  #flowEntry(end: 'flow-sequence-end' | 'flow-mapping-end', isFirst: boolean): Token | undefined {
    const next = this.#tokens.peek();
    if (next.kind !== end && !isFirst) {
      if (next.kind !== 'flow-entry') {
        throw problem(`did not find expected ',' or '${end === 'flow-sequence-end' ? ']' : '}'}'`, next);
      }
      this.#tokens.take();
    }
    const entry = this.#tokens.peek();
    if (entry.kind !== end) return entry;
    this.#tokens.take();
    return undefined;
  }

  #flowValue(none: ReadonlySet<Kind>): YamlNode {
    const colon = this.#tokens.peek();
    if (colon.kind !== 'value') return empty(colon);
    this.#tokens.take();
    return this.#nodeUnless(none, 'flow');
  }
}

/** A parser's problem: libyaml counts lines from 0 and prints that, but the first line not at all. */
function problem(words: string, at: Token): YamlProblem {
  return new YamlProblem(at.line > 0 ? `line ${at.line}: ${words}` : words);
}

function empty(at: Token): YamlNode {
  return { kind: 'scalar', line: at.line + 1, tag: '', value: '', plain: true };
}

/** The node that `token` begins, with nothing in it yet. */
function nodeOf(
  token: Token,
  place: Place,
  { line, tag, isNamed }: { readonly line: number; readonly tag: string; readonly isNamed: boolean },
): YamlNode {
  const { kind } = token;
  const isPlain = tag === '' ? kind !== 'scalar' || token.plain : tag === '!';
  if (kind === 'scalar') return { kind, line, tag, value: token.value, plain: isPlain };
  const isBlock = place !== 'flow';
  if (
    kind === 'flow-sequence' ||
    (isBlock && kind === 'block-sequence') ||
    (place === 'value' && kind === 'block-entry')
  ) {
    return { kind: 'sequence', line, items: [] };
  }
  if (kind === 'flow-mapping' || (isBlock && kind === 'block-mapping'))
    return { kind: 'mapping', line, pairs: [] };
  if (!isNamed && tag === '') throw problem('did not find expected node content', token);
  return { kind: 'scalar', line, tag, value: '', plain: isPlain };
}
