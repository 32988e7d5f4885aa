/**
 * Reads a Cloud Foundry manifest: YAML with anchors and merge keys, `((variables))`, one or more applications.
 * Source of the contract: docs-dev-guide, manifest attributes; util/manifestparser of the cf CLI and
 * app/messages/app_manifest_message.rb of Cloud Controller.
 */
import { z } from 'zod';
import { parseHostileYaml } from '../../machine/host/hostile-yaml.ts';
import { StagerError } from '../../words/errors.ts';
import { keyWarnings, lineAt, type Places } from './places.ts';
import { appSchema, INSTANCE_KEYS, type ManifestApp } from './schema.ts';
import { interpolate, type ManifestVariables } from './variables.ts';

/** An application that was chosen; it has a name by now. */
export type NamedApp = ManifestApp & { readonly name: string };

/** A manifest that was read. */
export interface Manifest {
  /** All of them, or the one that was asked for. */
  readonly apps: readonly NamedApp[];
  /** One sentence each, with the line. */
  readonly warnings: readonly string[];
}

/** A manifest's text, where it came from, and what is wanted of it. */
export interface ManifestInput {
  readonly file: string;
  readonly text: string;
  readonly variables: ManifestVariables;
  /** Only the app of this name; where there is one alone, it takes the name, as in `cf push NAME`. */
  readonly appName?: string;
}

/** Cloud Controller accepts no larger one (staging-internals.md; cf-cli-wire.md 3.6.2). */
const MAX_BYTES = 1024 * 1024;
const MAX_ALIASES = 1000;

/**
 * @throws StagerError MANIFEST_INVALID with the line for YAML that can't be read and for what is wrong with an
 * application that was asked for; for variables without a value.
 */
export function readManifest(input: ManifestInput): Manifest {
  const { file, text } = input;
  if (Buffer.byteLength(text) > MAX_BYTES) throw invalid(file, ['larger than 1 MiB'], 'Split the manifest.');
  const yaml = parseHostileYaml(text, { scalars: 'cf', maxAliases: MAX_ALIASES });
  if (!yaml.ok) throw invalid(file, [yaml.reason], 'Fix the YAML.');
  const places: Places = { file, document: yaml.document, lineOf: yaml.lineOf };
  const top = topSchema.safeParse(interpolate(yaml.value, input.variables));
  if (!top.success) {
    throw invalid(file, problemsOf(top.error, places, []), 'A manifest has a list called applications.');
  }
  const chosen = choose(top.data.applications, input);
  const apps = chosen.map(({ app, index }) => named(app, { index, places }));
  const put = apps.flatMap((app, at) => putAside(app, { index: chosen[at]?.index ?? 0, places }));
  return { apps, warnings: [...keyWarnings(places), ...put] };
}

const WHAT_IT_HAS = 'the manifest has no list of applications';
const A_LIST = 'must be a list of applications, each a map with a name';

const topSchema = z.preprocess(
  (value) => (isMap(value) && !hasApplications(value) ? undefined : value),
  z.object(
    {
      applications: z
        .array(z.record(z.string(), z.unknown(), { error: 'must be a map' }), { error: A_LIST })
        .min(1, { error: `is empty; it ${A_LIST}` }),
      version: z.literal(1, { error: 'must be 1' }).nullish(),
    },
    { error: WHAT_IT_HAS },
  ),
);

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasApplications(value: object): boolean {
  return 'applications' in value && value.applications !== null;
}

type Unread = Readonly<Record<string, unknown>>;

interface Chosen {
  readonly app: Unread;
  /** Its place in the manifest. */
  readonly index: number;
}

function choose(apps: readonly Unread[], { file, appName }: ManifestInput): readonly Chosen[] {
  const all = apps.map((app, index) => ({ app, index }));
  const names = apps.map((app) => nameOf(app) ?? '');
  if (apps.length > 1) {
    refuseNameless(names, file);
    refuseTwins(names, file);
  }
  if (appName === undefined) return all;
  const chosen = all.filter(({ index }) => apps.length === 1 || names[index] === appName);
  if (chosen.length > 0) return chosen.map(({ app, index }) => ({ app: { ...app, name: appName }, index }));
  throw new StagerError('MANIFEST_INVALID', `${file} has no application ${appName}`, {
    next: `It has ${names.join(', ')}.`,
    details: { file, name: appName, names },
  });
}

function refuseNameless(names: readonly string[], file: string): void {
  const index = names.indexOf('');
  if (index >= 0) throw invalid(file, [`application ${index + 1} has no name`], 'Give it one.');
}

function refuseTwins(names: readonly string[], file: string): void {
  const twin = names.find((name, index) => names.indexOf(name) !== index);
  if (twin === undefined) return;
  throw invalid(file, [`two applications are called ${twin}`], 'Give each its own name.');
}

/** Undefined for none, and for what can't be one. */
function nameOf({ name }: Unread): string | undefined {
  return name === undefined || name === null || typeof name === 'object' ? undefined : String(name);
}

function named(
  app: Unread,
  { index, places }: { readonly index: number; readonly places: Places },
): NamedApp {
  const { file } = places;
  const name = nameOf(app);
  const who = `application ${name ?? index + 1}`;
  if (app['docker'] !== undefined && app['docker'] !== null) {
    throw invalid(
      file,
      [`line ${lineAt(places, ['applications', index, 'docker'])}: ${who} is a docker image`],
      'Images are not staged: remove the docker block, or choose another application with --app-name.',
    );
  }
  const parsed = appSchema.safeParse(app);
  if (!parsed.success) {
    const problems = problemsOf(parsed.error, places, ['applications', index]);
    throw invalid(file, [`${who}: ${problems.join('; ')}`], 'docs/manifest.md lists what each key takes.');
  }
  const { lifecycle = 'buildpack' } = parsed.data;
  if (lifecycle !== 'buildpack') {
    throw invalid(
      file,
      [
        `line ${lineAt(places, ['applications', index, 'lifecycle'])}: ${who} asks for the lifecycle ${lifecycle}`,
      ],
      'stager only supports the lifecycle buildpack in manifests.',
    );
  }
  if (name !== undefined) return { ...parsed.data, name };
  throw invalid(file, ['the application has no name'], 'Add a name, or give one with --app-name.');
}

/** Cloud Controller takes nothing from the application for a process that has an entry of its own. */
function putAside(app: NamedApp, { index, places }: { readonly index: number; readonly places: Places }) {
  if (app.processes?.some(({ type }) => type === 'web') !== true) return [];
  return INSTANCE_KEYS.filter((key) => app[key] !== undefined).map((key) => {
    const line = lineAt(places, ['applications', index, key]);
    return `${places.file}:${line}: ${key} of application ${app.name} is ignored: processes has an entry for web`;
  });
}

/** Each with its path in the application and its line. */
function problemsOf({ issues }: z.ZodError, places: Places, root: readonly PropertyKey[]): readonly string[] {
  return issues.map(({ path, message }) => {
    const what = path.length === 0 ? '' : `${path.map(String).join('.')} `;
    return `line ${lineAt(places, [...root, ...path])}: ${what}${message}`;
  });
}

function invalid(file: string, problems: readonly string[], next: string): StagerError {
  return new StagerError('MANIFEST_INVALID', `${file}: ${problems.join('; ')}`, { next, details: { file } });
}
