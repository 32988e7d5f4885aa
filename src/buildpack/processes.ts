/**
 * Process types and sidecars: launch.yml, release output and Procfile, merged by type
 * (buildpack-contracts.md 1.5, 1.6, 2.7; staging-internals.md 6.5). Pure.
 */

import { isAlias, isMap, parseDocument } from 'yaml';
import { z } from 'zod';
import type { ResultSidecar } from '../droplet/result.ts';
import { readStringMap, readYaml, stringMapOf, type YamlOutcome } from './yaml.ts';

/** A process, or a sidecar when `sidecarFor` is not empty. Memory in MB, only used for sidecars. */
export interface ProcessEntry {
  readonly type: string;
  readonly command: string;
  readonly sidecarFor: readonly string[];
  readonly memoryMb?: number;
}

/** What a merged list means for result.json. */
export interface ProcessOutcome {
  readonly processTypes: Readonly<Record<string, string>>;
  readonly processes: readonly { readonly type: string; readonly command: string }[];
  readonly sidecars: readonly ResultSidecar[];
}

const text = z.union([z.string(), z.number().transform(String), z.boolean().transform(String)]);
const launchSchema = z
  .object({
    processes: z
      .array(
        z.object({
          type: text.nullish().transform((it) => it ?? ''),
          command: text.nullish().transform((it) => it ?? ''),
          limits: z.object({ memory: z.number().int().nullish() }).nullish(),
          platforms: z
            .object({ cloudfoundry: z.object({ sidecar_for: z.array(text).nullish() }).nullish() })
            .nullish(),
        }),
      )
      .nullish(),
  })
  .nullish();

/** The processes of a launch.yml, in its order; unknown keys are ignored. */
export function parseLaunchYml(source: string): YamlOutcome<readonly ProcessEntry[]> {
  const yaml = readYaml(source);
  if (!yaml.ok) return yaml;
  const parsed = launchSchema.safeParse(yaml.value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { ok: false, reason: `${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'invalid'}` };
  }
  const value = (parsed.data?.processes ?? []).map((it): ProcessEntry => {
    const memoryMb = it.limits?.memory ?? 0;
    return {
      type: it.type,
      command: it.command,
      sidecarFor: it.platforms?.cloudfoundry?.sidecar_for ?? [],
      ...(memoryMb > 0 && { memoryMb }),
    };
  });
  return { ok: true, value };
}

/** What `bin/release` printed. Cloud Foundry reads the process types only; Heroku's two others are kept as data. */
export interface ReleaseOutput {
  readonly processTypes: ReadonlyMap<string, string>;
  readonly configVars: ReadonlyMap<string, string>;
  readonly addons: readonly string[];
}

const NOTHING: ReleaseOutput = { processTypes: new Map(), configVars: new Map(), addons: [] };

/** Parses release output; nothing, `---`, `--- {}` and nulls all mean "none". */
export function parseRelease(source: string): YamlOutcome<ReleaseOutput> {
  const yaml = readYaml(source);
  if (!yaml.ok) return yaml;
  if (yaml.value === null || yaml.value === undefined) return { ok: true, value: NOTHING };
  const document = parseDocument(source, { uniqueKeys: false, merge: true, logLevel: 'silent' });
  if (!isMap(document.contents)) return { ok: false, reason: 'not a map' };
  const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  const processTypes = stringMapOf(document.get('default_process_types', true), resolve);
  if (!processTypes.ok) return { ok: false, reason: `default_process_types: ${processTypes.reason}` };
  // Cloud Foundry ignores these two whatever they hold, so a broken one is no failure.
  const configVars = stringMapOf(document.get('config_vars', true), resolve);
  const addons = z.object({ addons: z.array(z.string()) }).safeParse(yaml.value);
  return {
    ok: true,
    value: {
      processTypes: processTypes.value,
      configVars: configVars.ok ? configVars.value : new Map(),
      addons: addons.success ? addons.data.addons : [],
    },
  };
}

/** The Procfile of a Cloud Foundry app: a YAML map. */
export function parseProcfile(source: string): YamlOutcome<ReadonlyMap<string, string>> {
  return readStringMap(source);
}

const PROCFILE_LINE = /^([A-Za-z0-9_-]+):[ \t]*(\S.*)$/;

/**
 * The Procfile of a Heroku app: lines of `type: command`, others are skipped, of two equal types the last wins.
 * A file that has no such line is read as YAML, so that one broken for both families is refused.
 */
export function parseProcfileLines(source: string): YamlOutcome<ReadonlyMap<string, string>> {
  const entries = new Map<string, string>();
  for (const line of source.split(/\r\n|\n|\r/)) {
    const [, type, command] = PROCFILE_LINE.exec(line.trimEnd()) ?? [];
    if (type !== undefined && command !== undefined) entries.set(type, command);
  }
  return entries.size > 0 ? { ok: true, value: entries } : readStringMap(source);
}

/** Entries of a plain map of commands. */
export function entriesOf(commands: ReadonlyMap<string, string>): readonly ProcessEntry[] {
  return [...commands].map(([type, command]) => ({ type, command, sidecarFor: [] }));
}

/** `later` over `earlier` by type, replaced in place, otherwise appended. A process may replace a sidecar. */
export function mergeProcesses(
  earlier: readonly ProcessEntry[],
  later: readonly ProcessEntry[],
): readonly ProcessEntry[] {
  // Entries of one list never replace each other, as in the original.
  const merged = [...earlier];
  for (const entry of later) {
    const places = earlier.flatMap((it, place) => (it.type === entry.type ? [place] : []));
    for (const place of places) merged[place] = entry;
    if (places.length === 0) merged.push(entry);
  }
  return merged;
}

/** Splits a merged list into what result.json says. */
export function processOutcome(entries: readonly ProcessEntry[]): ProcessOutcome {
  const processes = entries.filter((it) => it.sidecarFor.length === 0);
  const sidecars = entries.filter((it) => it.sidecarFor.length > 0);
  const sorted = [...new Map(processes.map((it) => [it.type, it.command]))].sort(([a], [b]) =>
    a < b ? -1 : a > b ? 1 : 0,
  );
  return {
    processTypes: Object.fromEntries(sorted),
    processes: processes.map(({ type, command }) => ({ type, command })),
    sidecars: sidecars.map((it) => ({
      name: it.type,
      process_types: it.sidecarFor,
      command: it.command,
      ...(it.memoryMb !== undefined && { memory: it.memoryMb }),
    })),
  };
}
