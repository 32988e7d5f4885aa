/** Which Python: what says so, and the range that it means. */
import { z } from 'zod';
import {
  BuildpackFailure,
  type Dependency,
  defaultRange,
  highestMatch,
  readJson,
  readText,
  readToml,
  type StepContext,
  versionsOf,
} from '../../kit/index.ts';

/** A wish and where it comes from; no range means the default. */
export interface PythonWish {
  readonly range: string | undefined;
  readonly source: string;
}

const pipfileLock = z.object({
  _meta: z.object({
    requires: z
      .object({ python_version: z.string().optional(), python_full_version: z.string().optional() })
      .optional(),
  }),
});
const pyproject = z.object({
  project: z.object({ 'requires-python': z.string().optional() }).optional(),
  tool: z
    .object({
      poetry: z.object({ dependencies: z.object({ python: z.string().optional() }).optional() }).optional(),
    })
    .optional(),
});

/** First that says something wins: runtime.txt, .python-version, Pipfile.lock, pyproject.toml, the default. */
export async function pythonWish(dir: string): Promise<PythonWish> {
  const runtime = (await readText(dir, 'runtime.txt'))?.trim();
  if (runtime !== undefined && runtime !== '') {
    const [, version] = /^(?:python-)?(\d+(?:\.(?:\d+|x))*)$/.exec(runtime) ?? [];
    if (version === undefined) {
      throw new BuildpackFailure(`runtime.txt says "${runtime.split('\n')[0]}"`, {
        next: 'It has to be one line such as python-3.13.x.',
      });
    }
    return { range: rangeOf(version), source: 'runtime.txt' };
  }
  const file = (await readText(dir, '.python-version'))
    ?.split('\n')
    .map((line) => line.replace(/#.*$/, '').trim())
    .find(Boolean);
  if (file !== undefined) {
    const [, version] = /^(?:cpython-|python-)?(\d+(?:\.\d+)*)$/.exec(file) ?? [];
    if (version === undefined) {
      throw new BuildpackFailure(`.python-version says "${file}"`, {
        next: 'It has to be a version of CPython such as 3.13, without anything else.',
      });
    }
    return { range: rangeOf(version), source: '.python-version' };
  }
  const lock = pipfileLock.safeParse(await readJson(dir, 'Pipfile.lock')).data?._meta.requires;
  const locked = lock?.python_full_version ?? lock?.python_version;
  if (locked !== undefined) return { range: rangeOf(locked), source: 'Pipfile.lock' };
  const project = pyproject.safeParse(await readToml(dir, 'pyproject.toml')).data;
  const requires = project?.project?.['requires-python'];
  if (requires !== undefined)
    return {
      range: fromSpecifiers(requires, 'requires-python'),
      source: 'requires-python of pyproject.toml',
    };
  const poetry = project?.tool?.poetry?.dependencies?.python;
  if (poetry !== undefined)
    return { range: fromSpecifiers(poetry, 'tool.poetry.dependencies.python'), source: 'pyproject.toml' };
  return { range: undefined, source: 'nothing asks for one: the default' };
}

function rangeOf(version: string): string {
  return /^\d+$/.test(version) || /^\d+\.\d+$/.test(version) ? `${version}.x` : version;
}

/** PEP 440 as semver has it: `>=3.11,<3.14`, `~=3.12.1`, `==3.13.*`, `^3.11`. */
export function fromSpecifiers(text: string, where: string): string {
  const parts = text.split(',').map((part) => part.trim().replace(/\s+/g, ''));
  return parts
    .filter((part) => part !== '' && !part.startsWith('!='))
    .map((part) => {
      const [, operator = '', version = ''] =
        /^(~=|===?|[<>]=?|\^|~)?(\d+(?:\.(?:\d+|\*))*)$/.exec(part) ?? [];
      if (version === '') {
        throw new BuildpackFailure(`pyproject.toml: ${where} is "${text}"`, {
          next: 'Use something like >=3.12 or >=3.12,<3.14.',
        });
      }
      const plain = version.replaceAll('*', 'x');
      if (operator === '~=') return plain.split('.').length > 2 ? `~${plain}` : `^${plain}`;
      return operator.startsWith('==') ? plain : `${operator}${plain}`;
    })
    .join(' ');
}

/**
 * An exact patch that there is not gives the newest of its line, with a warning: few places have all patches. Where the
 * default is not there for this machine, the newest is taken.
 */
export function choosePython(
  context: Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose'>,
  wish: PythonWish,
  arch: string = process.arch,
): Dependency {
  const { manifest, env, log } = context;
  const listed = versionsOf(manifest, 'python', { stack: env['CF_STACK'] ?? '', arch });
  const isDefaultThere = highestMatch(defaultRange(manifest, 'python'), listed) !== undefined;
  let range = wish.range ?? (isDefaultThere ? undefined : '*');
  const [, line] = /^(\d+\.\d+)\.\d+$/.exec(range ?? '') ?? [];
  if (
    range !== undefined &&
    line !== undefined &&
    highestMatch(range, listed) === undefined &&
    highestMatch(`${line}.x`, listed) !== undefined
  ) {
    log.warning(`Python ${range} (${wish.source}) is not available; the newest ${line} is taken.`);
    range = `${line}.x`;
  }
  const found = context.choose('python', range);
  log.info(`Python ${found.version} (${wish.source})`);
  return found;
}
