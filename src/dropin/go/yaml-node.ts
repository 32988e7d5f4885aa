/** YAML text as the tree that Go's yaml.v2 decodes from: scalars keep the text they were written with. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  Scalar,
  type YAMLError,
} from 'yaml';
import { NOT_UTF8 } from './utf8.ts';
import { originalWords } from './yaml-words.ts';

/** One node; `line` counts from 1. `tag` is the long form of an explicit tag, else empty. */
export type YamlNode =
  | {
      readonly kind: 'scalar';
      readonly line: number;
      readonly tag: string;
      readonly value: string;
      /** Not quoted and no block: its type is guessed from its text. */
      readonly plain: boolean;
    }
  | { readonly kind: 'alias'; readonly line: number; readonly name: string; readonly target: YamlNode }
  | {
      readonly kind: 'mapping';
      readonly line: number;
      readonly tag: string;
      readonly pairs: (readonly [YamlNode, YamlNode])[];
    }
  | { readonly kind: 'sequence'; readonly line: number; readonly tag: string; readonly items: YamlNode[] };

/** A document that can't be decoded at all; the message is the text after `yaml: `. */
export class YamlProblem extends Error {}

/** The first document of `text`; undefined when it is empty. @throws YamlProblem for what is no YAML. */
export function readYamlTree(text: string): YamlNode | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]/.test(text)) {
    throw new YamlProblem('control characters are not allowed');
  }
  if (text.includes(NOT_UTF8)) throw new YamlProblem('invalid leading UTF-8 octet');
  if (UNKNOWN_DIRECTIVE.test(text)) throw new YamlProblem('found unknown directive name');
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    schema: 'failsafe',
    version: '1.1',
    merge: false,
    uniqueKeys: false,
    logLevel: 'silent',
    lineCounter: lines,
  });
  const document = Array.isArray(parsed) ? parsed[0] : undefined;
  if (document === undefined) return undefined;
  const [problem] = document.errors;
  if (problem !== undefined && !isLeftOut(problem, document, lines))
    throw new YamlProblem(originalWords(problem, lines, text));
  if (document.contents === null) return undefined;
  return new TreeReader(lines).node(document.contents);
}

const UNKNOWN_DIRECTIVE = /^(?:[ \t]*(?:#.*)?\n)*%(?!YAML[ \t]|TAG[ \t])/;

/**
 * True for what follows a root that is indented more than it. yaml.v2 reads one node and looks no further, so the
 * second line of ` web: a\nworker: b` is not there for it.
 */
function isLeftOut(problem: YAMLError, document: Document.Parsed, lines: LineCounter): boolean {
  const start = document.contents?.range[0];
  if (problem.code !== 'UNEXPECTED_TOKEN' || start === undefined) return false;
  return lines.linePos(problem.pos[0]).col < lines.linePos(start).col;
}

class TreeReader {
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, YamlNode>();

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  node(node: unknown): YamlNode {
    const line = this.#lineOf(node);
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target === undefined) throw new YamlProblem(`unknown anchor '${node.source}' referenced`);
      return { kind: 'alias', line, name: node.source, target };
    }
    if (isMap(node)) {
      const tree: YamlNode = { kind: 'mapping', line, tag: node.tag ?? '', pairs: [] };
      this.#remember(node.anchor, tree);
      for (const { key, value } of node.items) tree.pairs.push([this.node(key), this.node(value)]);
      return tree;
    }
    if (isSeq(node)) {
      const tree: YamlNode = { kind: 'sequence', line, tag: node.tag ?? '', items: [] };
      this.#remember(node.anchor, tree);
      for (const item of node.items) tree.items.push(this.node(item));
      return tree;
    }
    const tree = scalarOf(node, line);
    if (isScalar(node)) this.#remember(node.anchor, tree);
    return tree;
  }

  #remember(anchor: string | undefined, tree: YamlNode): void {
    if (anchor !== undefined) this.#anchors.set(anchor, tree);
  }

  #lineOf(node: unknown): number {
    const start = isAlias(node) || isMap(node) || isSeq(node) || isScalar(node) ? startOf(node) : undefined;
    return start === undefined ? 1 : this.#lines.linePos(start).line;
  }
}

function startOf(node: Node): number | undefined {
  return node.range?.[0];
}

function scalarOf(node: unknown, line: number): YamlNode {
  if (!isScalar(node)) return { kind: 'scalar', line, tag: '', value: '', plain: true };
  const plain = node.type === undefined || node.type === Scalar.PLAIN;
  return { kind: 'scalar', line, tag: node.tag ?? '', value: node.source ?? '', plain };
}
