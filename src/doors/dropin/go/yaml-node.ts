/** YAML text as the tree that Go's yaml.v2 decodes from: scalars keep the text they were written with. */
import { yamlEncodingProblem } from './utf8.ts';
import { YamlProblem } from './yaml-cursor.ts';
import { TreeParser } from './yaml-parser.ts';

/** A scalar; `tag` is the long form of an explicit tag, else empty. */
export interface ScalarNode {
  readonly kind: 'scalar';
  /** From 1, as in all nodes. */
  readonly line: number;
  readonly tag: string;
  readonly value: string;
  /** Not quoted and no block: its type is guessed from its text. */
  readonly plain: boolean;
}

/** A map; keys may be anything. */
export interface MappingNode {
  readonly kind: 'mapping';
  readonly line: number;
  readonly pairs: (readonly [YamlNode, YamlNode])[];
}

/** A list. */
export interface SequenceNode {
  readonly kind: 'sequence';
  readonly line: number;
  readonly items: YamlNode[];
}

/** A reference to another node, which may hold this one. */
export interface AliasNode {
  readonly kind: 'alias';
  readonly line: number;
  readonly name: string;
  readonly target: YamlNode;
}

/** One node. yaml.v2 does not use the tags of collections. */
export type YamlNode = ScalarNode | MappingNode | SequenceNode | AliasNode;

/** The first document of `text`; undefined when it is empty. @throws YamlProblem for what is not YAML. */
export function readYamlTree(text: string): YamlNode | undefined {
  const problem = yamlEncodingProblem(text);
  if (problem !== undefined) throw new YamlProblem(problem);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]/.test(text)) {
    throw new YamlProblem('control characters are not allowed');
  }
  return new TreeParser(text.replace(/^\ufeff/, '')).document();
}
