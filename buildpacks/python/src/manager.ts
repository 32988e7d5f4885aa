/** Which package manager an app uses, by its files. */

import { join } from 'node:path';
import { BuildpackFailure, isThere } from '../../kit/index.ts';

/** A manager and the file that says what to install. */
export interface Manager {
  readonly name: 'pip' | 'pipenv' | 'poetry' | 'uv' | 'project';
  readonly file: string;
}

const LOCKS = [
  { name: 'pip', file: 'requirements.txt' },
  { name: 'pipenv', file: 'Pipfile.lock' },
  { name: 'poetry', file: 'poetry.lock' },
  { name: 'uv', file: 'uv.lock' },
] as const satisfies readonly Manager[];

/** @throws BuildpackFailure when nothing, or more than one, says what to install. */
export async function chooseManager(dir: string): Promise<Manager> {
  const has = (file: string) => isThere(join(dir, file));
  const found: Manager[] = [];
  for (const lock of LOCKS) if (await has(lock.file)) found.push(lock);
  const [first, second] = found;
  if (first !== undefined && second !== undefined) {
    throw new BuildpackFailure(
      `several files say what to install: ${found.map(({ file }) => file).join(', ')}`,
      {
        next: 'Keep the one of the package manager that you use, and put the others into .cfignore or delete them.',
      },
    );
  }
  if (first !== undefined) return first;
  if (await has('Pipfile')) {
    throw new BuildpackFailure('there is a Pipfile, but no Pipfile.lock', {
      next: 'Run pipenv lock, and commit Pipfile.lock.',
    });
  }
  if (await has('environment.yml')) {
    throw new BuildpackFailure('environment.yml is for conda, which is not supported', {
      next: 'Write what the app needs into a requirements.txt: pip list --format=freeze shows it.',
    });
  }
  for (const file of ['pyproject.toml', 'setup.py']) if (await has(file)) return { name: 'project', file };
  throw new BuildpackFailure('nothing says which packages the app needs', {
    next: 'Add a requirements.txt; an empty one is enough for an app without packages.',
  });
}
