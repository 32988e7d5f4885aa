/**
 * Parses YAML that a script, a buildpack, a droplet or a checkout brought.
 *
 * A document of a megabyte that is nothing but quotes, anchors or opening brackets keeps the parser busy for many
 * minutes, and it is synchronous: no signal would be handled in the meantime. So it has a time after which V8 ends it.
 */
import { Script } from 'node:vm';
import { type Document, isAlias, isNode, isScalar, LineCounter, parseDocument, type Tags, visit } from 'yaml';
import { z } from 'zod';

/** The largest honest document (a buildpack's manifest of 500 KiB) takes a tenth of this. */
const LIMIT_MS = 10_000;

/** Bounds what aliases can make of a small document; the parser's own default. */
const MAX_ALIASES = 100;

/** Where the script finds what it runs: it takes no argument, and a context of its own costs 5 ms. */
const READ = 'stager.hostile-yaml';
const script = new Script(`globalThis['${READ}']()`);

const timedOut = z.object({ code: z.literal('ERR_SCRIPT_EXECUTION_TIMEOUT') });

/** How to read a document. */
export interface HostileYamlOptions {
  /** Time for the parser, in milliseconds. */
  readonly limitMs?: number;
  /** Uses of anchors, those within anchors multiplied. */
  readonly maxAliases?: number;
  /**
   * `cf`: scalars mean what they mean to the cf client and to Cloud Controller: `yes` and `on` are true, `017` is
   * octal, and whole numbers are bigints, so that long ones keep their digits; keys are texts. Else YAML 1.2.
   */
  readonly scalars?: 'cf';
  /** Refuse a map with two equal keys; else the last one counts. */
  readonly uniqueKeys?: true;
}

/** A document without errors, or what is wrong with it, for people. */
export type HostileYaml =
  | {
      readonly ok: true;
      readonly document: Document;
      readonly value: unknown;
      /** Line on which a node of the document starts, from 1. */
      readonly lineOf: (node: unknown) => number;
    }
  | { readonly ok: false; readonly reason: string; readonly line?: number };

/** Parses the first document of `text`, and makes plain data of it. Never throws. */
export function parseHostileYaml(text: string, options: HostileYamlOptions = {}): HostileYaml {
  const { limitMs = LIMIT_MS } = options;
  try {
    let outcome: HostileYaml = { ok: false, reason: 'it was not read' };
    Reflect.set(globalThis, READ, () => {
      outcome = read(text, options);
    });
    script.runInThisContext({ timeout: limitMs });
    return outcome;
  } catch (error) {
    if (timedOut.safeParse(error).success) {
      return { ok: false, reason: `it can't be parsed within ${limitMs} ms` };
    }
    return { ok: false, reason: firstLine(error instanceof Error ? error.message : String(error)) };
  } finally {
    Reflect.deleteProperty(globalThis, READ);
  }
}

function read(text: string, options: HostileYamlOptions): HostileYaml {
  const { scalars, uniqueKeys = false, maxAliases = MAX_ALIASES } = options;
  const lines = new LineCounter();
  // Pretty errors quote the text for every one of possibly thousands.
  const document = parseDocument(text, {
    uniqueKeys,
    merge: true,
    logLevel: 'silent',
    prettyErrors: false,
    lineCounter: lines,
    ...(scalars === 'cf' && { version: '1.1', intAsBigInt: true, customTags: withoutTimes }),
  });
  const lost = unknownAlias(document);
  if (lost !== undefined) return { ok: false, ...starred(lost.name, lines.linePos(lost.at)) };
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    return { ok: false, reason: `${firstLine(problem.message)} at line ${line}, column ${col}`, line };
  }
  if (scalars === 'cf') visit(document, { Pair: (_, { key }) => asWritten(key) });
  const value: unknown = document.toJS({ maxAliasCount: maxAliases });
  const lineOf = (node: unknown): number => lines.linePos((isNode(node) && node.range?.[0]) || 0).line;
  return { ok: true, document, value, lineOf };
}

/** The first `*name` that no `&name` stands before; `*` alone is one too. */
function unknownAlias(document: Document): { readonly name: string; readonly at: number } | undefined {
  let found: { readonly name: string; readonly at: number } | undefined;
  const anchors = new Set<string>();
  visit(document, {
    Node: (_, node) => {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.add(node.anchor);
        return undefined;
      }
      if (anchors.has(node.source)) return undefined;
      found = { name: node.source, at: node.range?.[0] ?? 0 };
      return visit.BREAK;
    },
  });
  return found;
}

/** Most often somebody means a text, such as the route `*.example.com`. */
function starred(
  name: string,
  { line, col }: { readonly line: number; readonly col: number },
): { readonly reason: string; readonly line: number } {
  const text = `*${name}`;
  const reason = `${text} at line ${line}, column ${col} is read as a YAML alias, and there is no anchor &${name} before it; if you mean the text, write "${text}"`;
  return { reason, line };
}

/** A name is what was written, also where it reads `on` or `N`. */
function asWritten(key: unknown): void {
  if (isScalar(key) && typeof key.value !== 'symbol' && key.source !== undefined) key.value = key.source;
}

/** Go and Ruby leave `12:30` and `2026-01-01` what they are: texts. */
function withoutTimes(tags: Tags): Tags {
  return tags.filter((tag) => {
    if (typeof tag === 'string') return true;
    return !tag.tag.endsWith(':timestamp') && !('format' in tag && tag.format === 'TIME');
  });
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').replace(/:$/, '');
}
