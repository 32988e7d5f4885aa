/**
 * A buildpack's manifest.yml as lint and package read it (buildpack-contracts.md 3.4): every part may be wrong, and
 * what is wrong has a line.
 */
import { join } from 'node:path';
import { type Document, isAlias, isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import { parseHostileYaml } from '../machine/host/hostile-yaml.ts';
import { readSmall } from '../machine/host/read-small.ts';

/** One entry of `dependencies`; texts are as written, absent when they are not text. */
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
  readonly document: Document;
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
export async function readBuildpackManifest(root: string): Promise<ReadManifest> {
  const file = await readSmall(join(root, 'manifest.yml'), root);
  if (file.kind === 'absent') return { kind: 'absent' };
  if (file.kind === 'unusable') return { kind: 'broken', reason: file.reason, line: 1 };
  const yaml = parseHostileYaml(file.text);
  if (!yaml.ok) return { kind: 'broken', reason: yaml.reason, line: yaml.line ?? 1 };
  const { document, lineOf } = yaml;
  if (!isMap(document.contents)) return { kind: 'broken', reason: 'it is not a map', line: 1 };
  return { kind: 'manifest', manifest: manifestOf(document, document.contents, lineOf) };
}

function manifestOf(document: Document, root: YAMLMap, lineOf: (node: unknown) => number): BuildpackManifest {
  const followed = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  const get = (map: YAMLMap, key: string): unknown => followed(map.get(key, true));
  const maps = (node: unknown): readonly YAMLMap[] =>
    isSeq(node) ? node.items.map(followed).filter((item) => isMap(item)) : [];
  const includes = get(root, 'include_files');
  return {
    document,
    language: textOf(get(root, 'language')),
    stack: textOf(get(root, 'stack')),
    includeFiles: isSeq(includes) ? textsOf(includes) : undefined,
    prePackage: textOf(get(root, 'pre_package')),
    dependencies: maps(get(root, 'dependencies')).map((node) => ({
      name: textOf(get(node, 'name')),
      version: textOf(get(node, 'version')),
      uri: textOf(get(node, 'uri')),
      sha256: textOf(get(node, 'sha256')),
      integrity: textOf(get(node, 'integrity')),
      file: textOf(get(node, 'file')),
      arch: textOf(get(node, 'arch')),
      stacks: textsOf(get(node, 'cf_stacks')),
      line: lineOf(node),
      node,
    })),
    defaultVersions: maps(get(root, 'default_versions')).map((node) => ({
      name: textOf(get(node, 'name')),
      version: textOf(get(node, 'version')),
      line: lineOf(node),
    })),
    lineOf: (key) => {
      const pair = root.items.find((item) => isScalar(item.key) && item.key.value === key);
      return pair === undefined ? 1 : lineOf(pair.key);
    },
  };
}

/** The text of a scalar as it was written: `version: 1.10` is `1.10`. */
function textOf(node: unknown): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined;
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

function textsOf(node: unknown): readonly string[] {
  return isSeq(node) ? node.items.map(textOf).filter((text) => text !== undefined) : [];
}
