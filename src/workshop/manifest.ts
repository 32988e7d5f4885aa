/**
 * A buildpack's manifest.yml as lint and package read it (buildpack-contracts.md 3.4): every part may be wrong, and
 * what is wrong has a line.
 */
import { join } from 'node:path';
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { readSmall } from '../host/read-small.ts';

/** One entry of `dependencies`; texts are as written, absent when they are no text. */
export interface ManifestDependency {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly uri: string | undefined;
  readonly sha256: string | undefined;
  readonly integrity: string | undefined;
  readonly file: string | undefined;
  /** The kit's own key: which machine it is for. */
  readonly arch: string | undefined;
  readonly stacks: readonly string[];
  readonly line: number;
  /** The entry itself, for rewriting. */
  readonly node: YAMLMap;
}

/** An entry of `default_versions`. */
export interface DefaultVersion {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly line: number;
}

/** The parsed file. */
export interface BuildpackManifest {
  readonly document: Document.Parsed;
  readonly language: string | undefined;
  readonly stack: string | undefined;
  readonly includeFiles: readonly string[] | undefined;
  readonly prePackage: string | undefined;
  readonly dependencies: readonly ManifestDependency[];
  readonly defaultVersions: readonly DefaultVersion[];
  /** Line of a key at the top. */
  lineOf(key: string): number;
}

/** What was found: nothing, something broken with its place, or a manifest. */
export type ReadManifest =
  | { readonly kind: 'absent' }
  | { readonly kind: 'broken'; readonly reason: string; readonly line: number }
  | { readonly kind: 'manifest'; readonly manifest: BuildpackManifest };

/** Reads `manifest.yml` at the root of a buildpack. */
export async function readManifest(root: string): Promise<ReadManifest> {
  const file = await readSmall(join(root, 'manifest.yml'), root);
  if (file.kind === 'absent') return { kind: 'absent' };
  if (file.kind === 'unusable') return { kind: 'broken', reason: file.reason, line: 1 };
  const lines = new LineCounter();
  const document = parseDocument(file.text, { uniqueKeys: false, logLevel: 'silent', lineCounter: lines });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const [reason = ''] = problem.message.split('\n', 1);
    return { kind: 'broken', reason, line: lines.linePos(problem.pos[0]).line };
  }
  if (!isMap(document.contents)) return { kind: 'broken', reason: 'it is no map', line: 1 };
  return { kind: 'manifest', manifest: manifestOf(document, document.contents, lines) };
}

function manifestOf(document: Document.Parsed, root: YAMLMap, lines: LineCounter): BuildpackManifest {
  const lineAt = (node: unknown): number => lines.linePos(startOf(node)).line;
  const includes = root.get('include_files', true);
  return {
    document,
    language: textOf(root.get('language', true)),
    stack: textOf(root.get('stack', true)),
    includeFiles: isSeq(includes) ? textsOf(includes) : undefined,
    prePackage: textOf(root.get('pre_package', true)),
    dependencies: mapsOf(root.get('dependencies', true)).map((node) => ({
      name: textOf(node.get('name', true)),
      version: textOf(node.get('version', true)),
      uri: textOf(node.get('uri', true)),
      sha256: textOf(node.get('sha256', true)),
      integrity: textOf(node.get('integrity', true)),
      file: textOf(node.get('file', true)),
      arch: textOf(node.get('arch', true)),
      stacks: textsOf(node.get('cf_stacks', true)),
      line: lineAt(node),
      node,
    })),
    defaultVersions: mapsOf(root.get('default_versions', true)).map((node) => ({
      name: textOf(node.get('name', true)),
      version: textOf(node.get('version', true)),
      line: lineAt(node),
    })),
    lineOf: (key) => {
      const pair = root.items.find((item) => isScalar(item.key) && item.key.value === key);
      return pair === undefined ? 1 : lineAt(pair.key);
    },
  };
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

/** The text of a scalar as it was written: `version: 1.10` is `1.10`. */
function textOf(node: unknown): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined;
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

function textsOf(node: unknown): readonly string[] {
  return isSeq(node) ? node.items.map(textOf).filter((text) => text !== undefined) : [];
}

function mapsOf(node: unknown): readonly YAMLMap[] {
  return isSeq(node) ? node.items.filter((item) => isMap(item)) : [];
}
