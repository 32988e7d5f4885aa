/**
 * Reads a Cloud Foundry manifest: YAML with anchors and merge keys, `((variables))`, one or more applications.
 * Source of the contract: docs-dev-guide, manifest attributes; util/manifestparser of the cf CLI.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { StagerError } from '../errors.ts';
import { appSchema, KEYS_WITHOUT_EFFECT, type ManifestApp } from './schema.ts';
import { interpolate, type Variables } from './variables.ts';

/** A manifest that was read. */
export interface Manifest {
  readonly apps: readonly ManifestApp[];
  /** One sentence each, with the line. */
  readonly warnings: readonly string[];
}

/** A manifest's text and where it came from. */
export interface ManifestInput {
  readonly file: string;
  readonly text: string;
  readonly variables: Variables;
}

/** Cloud Controller takes no larger one (staging-internals.md; cf-cli-wire.md 3.6.2). */
const MAX_BYTES = 1024 * 1024;

/**
 * @throws StagerError MANIFEST_INVALID with the line for YAML that can't be read, a wrong shape, two apps of one
 * name, a docker or cnb app, or variables without a value.
 */
export function readManifest(input: ManifestInput): Manifest {
  if (Buffer.byteLength(input.text) > MAX_BYTES) {
    throw invalid(input.file, 'larger than 1 MiB', 'Split the manifest.');
  }
  const lines = new LineCounter();
  const document = parseDocument(input.text, { merge: true, lineCounter: lines });
  const [problem] = document.errors;
  if (problem !== undefined) throw invalid(input.file, problem.message.trimEnd(), 'Mend the YAML.');
  const value = interpolate(toPlain(document, input.file), input.variables);
  const apps = topSchema.safeParse(value);
  if (!apps.success)
    throw invalid(input.file, z.prettifyError(apps.error), 'A manifest has a list called applications.');
  const parsed = apps.data.applications.map((app, index) => parseApp(app, index, input.file));
  refuseTwins(parsed, input.file);
  return { apps: parsed, warnings: unknownKeys(document.contents, { file: input.file, lines }) };
}

const topSchema = z.object({
  applications: z.array(z.record(z.string(), z.unknown())).min(1),
  version: z.literal(1).optional(),
});

function toPlain(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 1000 });
  } catch (error) {
    throw invalid(file, error instanceof Error ? error.message : 'not YAML', 'Use fewer aliases.');
  }
}

function parseApp(app: Record<string, unknown>, index: number, file: string): ManifestApp {
  const name = typeof app['name'] === 'string' ? app['name'] : `number ${index + 1}`;
  if (app['docker'] !== undefined) {
    throw invalid(
      file,
      `application ${name} is a docker image`,
      'An image is not staged: run it with a container engine, or remove the docker block.',
    );
  }
  if (app['lifecycle'] !== undefined && app['lifecycle'] !== 'buildpack') {
    throw invalid(
      file,
      `application ${name} asks for the lifecycle ${String(app['lifecycle'])}`,
      'stager stages with the lifecycle buildpack.',
    );
  }
  const parsed = appSchema.safeParse(app);
  if (parsed.success) return parsed.data;
  throw invalid(
    file,
    `application ${name}: ${z.prettifyError(parsed.error)}`,
    'docs/manifest.md lists what each key takes.',
  );
}

function refuseTwins(apps: readonly ManifestApp[], file: string): void {
  const seen = new Set<string>();
  for (const { name } of apps) {
    if (seen.has(name)) throw invalid(file, `two applications are called ${name}`, 'Give each its own name.');
    seen.add(name);
  }
}

/** Keys that nothing reads, with their lines. Top-level ones hold anchors by custom and are left alone. */
function unknownKeys(root: unknown, at: { file: string; lines: LineCounter }): string[] {
  const apps = isMap(root) ? root.get('applications', true) : undefined;
  if (!isSeq(apps)) return [];
  const warnings: string[] = [];
  for (const app of apps.items) {
    if (isAlias(app) || !isMap(app)) continue;
    warnings.push(...unknownIn(app, at, new Set([...Object.keys(appSchema.shape), ...KEYS_WITHOUT_EFFECT])));
  }
  return warnings;
}

function unknownIn(
  map: YAMLMap,
  at: { file: string; lines: LineCounter },
  known: ReadonlySet<string>,
): string[] {
  return map.items.flatMap(({ key }) => {
    // A merge key's value is a symbol.
    if (!isScalar(key) || typeof key.value !== 'string' || known.has(key.value)) return [];
    const line = at.lines.linePos(key.range?.[0] ?? 0).line;
    return [`${at.file}:${line}: unknown key ${key.value} is ignored`];
  });
}

function invalid(file: string, problem: string, next: string): StagerError {
  return new StagerError('MANIFEST_INVALID', `${file}: ${problem}`, { next, details: { file } });
}
