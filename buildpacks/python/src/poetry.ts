/**
 * poetry.lock as a requirements file with hashes and markers. Poetry itself asks PyPI's own interface, which mirrors of a
 * company rarely have.
 */
import { z } from 'zod';
import { BuildpackFailure } from '../../kit/index.ts';
import { wrongShapes } from '../../kit/shape.ts';
import { requirement } from './pipfile.ts';

const constraint = z.union([
  z.string(),
  z.looseObject({
    markers: z.string().optional(),
    optional: z.boolean().optional(),
    extras: z.array(z.string()).optional(),
  }),
]);
const constraints = z.record(z.string(), z.union([constraint, z.array(constraint)]));
const packageSchema = z.looseObject({
  name: z.string(),
  version: z.string(),
  groups: z.array(z.string()).optional(),
  markers: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
  files: z.array(z.looseObject({ hash: z.string() })).default([]),
  dependencies: constraints.default({}),
  source: z.looseObject({ type: z.string(), url: z.string() }).optional(),
});
const lockSchema = z.looseObject({
  package: z.array(packageSchema).default([]),
  metadata: z.looseObject({ 'lock-version': z.string() }),
});
const projectSchema = z.looseObject({
  project: z.looseObject({ dependencies: z.array(z.string()).default([]) }).optional(),
  tool: z
    .looseObject({ poetry: z.looseObject({ dependencies: constraints.default({}) }).optional() })
    .optional(),
});

type Package = z.output<typeof packageSchema>;
type Wanted = Map<string, string | undefined>;

/** @throws BuildpackFailure for another shape, and for packages that are not on an index. */
export function fromPoetryLock(lock: unknown, pyproject: unknown): string {
  const parsed = lockSchema.safeParse(lock);
  if (!parsed.success) {
    const found = wrongShapes(parsed.error, lock, 'poetry.lock');
    throw new BuildpackFailure(`poetry.lock is not valid:\n${found.join('\n')}`, {
      next: 'Write it again with: poetry lock',
    });
  }
  const packages = parsed.data.package;
  const grouped = packages.some(({ groups }) => groups !== undefined);
  const wanted: Wanted = grouped
    ? new Map(
        packages
          .filter(({ groups }) => groups?.includes('main'))
          .map((it) => [normal(it.name), markersOf(it)]),
      )
    : reachable(packages, rootsOf(pyproject));
  const indexes = new Set<string>();
  const lines = packages.flatMap((it) => {
    if (!wanted.has(normal(it.name))) return [];
    if (it.source !== undefined && it.source.type !== 'legacy') {
      throw new BuildpackFailure(
        `poetry.lock has ${it.name} from ${it.source.type}, which is not supported`,
        {
          next: 'Publish the package on an index; or export a requirements.txt with: poetry export',
        },
      );
    }
    if (it.source !== undefined) indexes.add(it.source.url);
    const hashes = it.files.map(({ hash }) => hash);
    return [
      requirement({
        name: it.name,
        extras: [],
        version: `==${it.version}`,
        markers: wanted.get(normal(it.name)),
        hashes,
      }),
    ];
  });
  return [...[...indexes].map((url) => `--extra-index-url ${url}`), ...lines, ''].join('\n');
}

function markersOf({ markers }: Package): string | undefined {
  return typeof markers === 'object' ? markers['main'] : markers;
}

/** Names that the app itself asks for. */
function rootsOf(pyproject: unknown): Wanted {
  const { project, tool } = projectSchema.parse(pyproject ?? {});
  const roots: Wanted = new Map();
  for (const text of project?.dependencies ?? []) {
    const [, name = '', markers] = /^([\w.-]+)[^;]*(?:;\s*(.+))?$/.exec(text.trim()) ?? [];
    roots.set(normal(name), markers);
  }
  for (const [name, value] of Object.entries(tool?.poetry?.dependencies ?? {})) {
    if (name !== 'python') roots.set(normal(name), edgeMarkers(value));
  }
  return roots;
}

/** Locks before 2.1 say neither group nor marker of a package: both follow from who asks for it. */
function reachable(packages: readonly Package[], roots: Wanted): Wanted {
  const found: Wanted = new Map();
  const queue = [...roots];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [name, markers] = next;
    const before = found.has(name) ? found.get(name) : null;
    // Asked for by two: one of the conditions is enough, and none at all is the widest.
    const now =
      before === null
        ? markers
        : before === undefined || markers === undefined
          ? undefined
          : either(before, markers);
    if (before !== null && before === now) continue;
    found.set(name, now);
    for (const it of packages.filter((candidate) => normal(candidate.name) === name)) {
      for (const [other, value] of Object.entries(it.dependencies)) {
        if (isOptional(value)) continue;
        queue.push([normal(other), both(now, edgeMarkers(value))]);
      }
    }
  }
  return found;
}

function isOptional(value: z.output<typeof constraints>[string]): boolean {
  return typeof value === 'object' && !Array.isArray(value) && value.optional === true;
}

function edgeMarkers(value: z.output<typeof constraints>[string]): string | undefined {
  if (typeof value === 'string') return undefined;
  if (!Array.isArray(value)) return value.markers;
  const each = value.map((it) => (typeof it === 'string' ? undefined : it.markers));
  return each.some((it) => it === undefined) ? undefined : each.join(' or ');
}

function both(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined || left === right) return left ?? right;
  return `(${left}) and (${right})`;
}

function either(left: string, right: string): string {
  return left === right || left.includes(`(${right})`) ? left : `(${left}) or (${right})`;
}

function normal(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}
