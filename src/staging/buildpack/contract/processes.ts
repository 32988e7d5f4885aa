/**
 * Process types and sidecars: launch.yml, release output and Procfile, merged by type
 * (buildpack-contracts.md 1.5, 1.6, 2.7; staging-internals.md 6.5). Pure.
 */

import { isAlias, isMap } from 'yaml';
import { z } from 'zod';
import { parseHostileYaml } from '../../../machine/host/hostile-yaml.ts';
import type { ProcessEntry } from './process-list.ts';
import { readStringMap, readYaml, stringMapOf, type YamlOutcome } from './yaml.ts';

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
  const yaml = parseHostileYaml(source);
  if (!yaml.ok) return yaml;
  if (yaml.value === null || yaml.value === undefined) return { ok: true, value: NOTHING };
  const { document } = yaml;
  if (!isMap(document.contents)) return { ok: false, reason: 'not a map' };
  const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  const processTypes = stringMapOf(document.get('default_process_types', true), resolve);
  if (!processTypes.ok) return { ok: false, reason: `default_process_types: ${processTypes.reason}` };
  // Cloud Foundry ignores these two whatever they hold, so a broken one is not a failure.
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
