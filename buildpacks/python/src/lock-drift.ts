/** Packages that Pipfile or pyproject.toml name and their lock lacks. */
import { z } from 'zod';
import { readJson, readToml } from '../../kit/index.ts';
import type { Manager } from './manager.ts';

const names = z.record(z.string(), z.unknown()).catch({});
const pipfile = z.looseObject({ packages: names.default({}) }).catch({ packages: {} });
const pipfileLock = z.looseObject({ default: names.default({}) }).catch({ default: {} });
const project = z
  .looseObject({
    project: z.looseObject({ dependencies: z.array(z.string()).catch([]).default([]) }).optional(),
    tool: z.looseObject({ poetry: z.looseObject({ dependencies: names.default({}) }).optional() }).optional(),
  })
  .catch({});
const packages = z
  .looseObject({
    package: z
      .array(z.looseObject({ name: z.string() }))
      .catch([])
      .default([]),
  })
  .catch({ package: [] });

/** What of it is wanted, whatever the case and the dashes, and not locked. Nothing where there is no such pair of files. */
export async function missingInPythonLock(dir: string, manager: Manager): Promise<string[]> {
  if (manager.name === 'pipenv') {
    const wanted = Object.keys(pipfile.parse((await readToml(dir, 'Pipfile')) ?? {}).packages);
    return lacking(wanted, Object.keys(pipfileLock.parse(await readJson(dir, manager.file)).default));
  }
  if (manager.name !== 'poetry' && manager.name !== 'uv') return [];
  const { project: plain, tool } = project.parse((await readToml(dir, 'pyproject.toml')) ?? {});
  const ofPoetry = manager.name === 'poetry' ? Object.keys(tool?.poetry?.dependencies ?? {}) : [];
  const wanted = [
    ...(plain?.dependencies ?? []).map((text) => /^[\w.-]+/.exec(text.trim())?.[0] ?? ''),
    ...ofPoetry.filter((name) => name !== 'python'),
  ];
  const locked = packages.parse((await readToml(dir, manager.file)) ?? {}).package;
  return lacking(
    wanted,
    locked.map(({ name }) => name),
  );
}

function lacking(wanted: readonly string[], locked: readonly string[]): string[] {
  const plain = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, '-');
  const has = new Set(locked.map(plain));
  return wanted.filter((name) => name !== '' && !has.has(plain(name)));
}
