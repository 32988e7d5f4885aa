/** Pipfile.lock as a requirements file: nothing of it is lost, neither hashes nor markers. */
import { z } from 'zod';
import { BuildpackFailure } from '../../kit/index.ts';
import { wrongShapes } from '../../kit/shape.ts';

const entry = z.looseObject({
  version: z.string().optional(),
  hashes: z.array(z.string()).default([]),
  markers: z.string().optional(),
  extras: z.array(z.string()).default([]),
});
const lockSchema = z.looseObject({
  _meta: z.looseObject({ sources: z.array(z.looseObject({ url: z.string() })).default([]) }),
  default: z.record(z.string(), entry),
});

/** @throws BuildpackFailure for a lock of another shape, and for packages that are not on an index. */
export function fromPipfileLock(value: unknown, env: Readonly<Record<string, string | undefined>>): string {
  const parsed = lockSchema.safeParse(value);
  if (!parsed.success) {
    const found = wrongShapes(parsed.error, value, 'Pipfile.lock');
    throw new BuildpackFailure(`Pipfile.lock is not valid:\n${found.join('\n')}`, {
      next: 'Write it again with: pipenv lock',
    });
  }
  const indexes = parsed.data._meta.sources
    .map(({ url }) => url.replace(/\$\{?(\w+)\}?/g, (_all, name: string) => env[name] ?? ''))
    .filter((url) => !/^https:\/\/pypi\.(org|python\.org)\//.test(url));
  const lines = Object.entries(parsed.data.default).map(([name, it]) => {
    for (const kind of ['git', 'path', 'file', 'hg', 'svn']) {
      if (it[kind] === undefined) continue;
      throw new BuildpackFailure(`Pipfile.lock has ${name} from ${kind}, which is not supported`, {
        next: 'Publish the package on an index, or export a requirements.txt with: pipenv requirements',
      });
    }
    if (it.version === undefined)
      throw new BuildpackFailure(`Pipfile.lock has no version of ${name}`, {
        next: 'Write it again with: pipenv lock',
      });
    return requirement({
      name,
      extras: it.extras,
      version: it.version,
      markers: it.markers,
      hashes: it.hashes,
    });
  });
  return [...indexes.map((url) => `--extra-index-url ${url}`), ...lines, ''].join('\n');
}

/** One line of a requirements file. */
export function requirement(it: {
  readonly name: string;
  readonly extras: readonly string[];
  readonly version: string;
  readonly markers: string | undefined;
  readonly hashes: readonly string[];
}): string {
  const extras = it.extras.length === 0 ? '' : `[${it.extras.join(',')}]`;
  const markers = it.markers === undefined || it.markers === '' ? '' : ` ; ${it.markers}`;
  return [
    `${it.name}${extras}${it.version}${markers}`,
    ...it.hashes.map((hash) => `    --hash=${hash}`),
  ].join(' \\\n');
}
