/** The tokens of YAML 1.1. */
import type { Directive, WrittenTag } from './yaml-properties.ts';

/** Tokens that are nothing but their kind. */
export type Mark =
  | 'stream-end'
  | 'document-start'
  | 'document-end'
  | 'block-sequence'
  | 'block-mapping'
  | 'block-end'
  | 'flow-sequence'
  | 'flow-sequence-end'
  | 'flow-mapping'
  | 'flow-mapping-end'
  | 'block-entry'
  | 'flow-entry'
  | 'key'
  | 'value';

/** A token; `line` counts from 0. */
export type Token = { readonly line: number } & (
  | { readonly kind: Mark }
  | { readonly kind: 'alias' | 'anchor'; readonly name: string }
  | ({ readonly kind: 'tag' } & WrittenTag)
  | { readonly kind: 'scalar'; readonly value: string; readonly plain: boolean }
  | Directive
);
