/** What is started, where that is plain, and the static files of Django. */
import { readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { isThere, type LaunchProcess, readText, run, type StepContext } from '../../kit/index.ts';

import { pythonEnv } from './runtime.ts';

/** Whether a package is installed. */
export async function has(context: StepContext, name: string): Promise<boolean> {
  const lib = context.dep.at('python/lib');
  const [line = ''] = (await readdir(lib)).filter((folder) => /^python3\.\d+$/.test(folder));
  return await isThere(join(lib, line, 'site-packages', name));
}

/** manage.py at most three folders deep. */
async function findManage(dir: string, depth = 0): Promise<string | undefined> {
  if (await isThere(join(dir, 'manage.py'))) return join(dir, 'manage.py');
  if (depth === 3) return undefined;
  const entries = await readdir(dir, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isDirectory() || entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const found = await findManage(join(dir, entry.name), depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Runs `manage.py collectstatic` where Django and manage.py are there. */
export async function collectStatic(context: StepContext): Promise<void> {
  const { env, buildDir, log } = context;
  const off = env['DISABLE_COLLECTSTATIC'] ?? '';
  if (!(await has(context, 'django'))) return;
  const manage = await findManage(buildDir);
  if (manage === undefined) return log.info('There is no manage.py: collectstatic is not run.');
  if (off !== '' && off !== '0') return log.info('collectstatic is not run (DISABLE_COLLECTSTATIC)');
  log.step('Collecting static files');
  await run(['python3', manage, 'collectstatic', '--noinput', '--traceback'], {
    cwd: buildDir,
    env: pythonEnv(context),
    next: 'See the output above. Settings that are only there at run time need defaults; STATIC_ROOT has to be set. DISABLE_COLLECTSTATIC=1 leaves it out.',
  });
}

/** `gunicorn`, `uvicorn` or nothing. */
export async function startProcesses(context: StepContext): Promise<LaunchProcess[]> {
  const { buildDir } = context;
  const web = (command: string) => [{ type: 'web', command }];
  const [gunicorn, uvicorn] = [await has(context, 'gunicorn'), await has(context, 'uvicorn')];
  const manage = (await has(context, 'django')) ? await findManage(buildDir) : undefined;
  if (manage !== undefined && gunicorn) {
    const home = dirname(manage);
    for (const name of await readdir(home)) {
      if (!(await isThere(join(home, name, 'wsgi.py')))) continue;
      const chdir = home === buildDir ? '' : ` --chdir ${relative(buildDir, home)}`;
      return web(`gunicorn${chdir} ${name}.wsgi`);
    }
  }
  for (const file of ['app', 'main', 'server', 'wsgi']) {
    const text = (await readText(buildDir, `${file}.py`)) ?? '';
    const [, flask] = /^(\w+)(?:\s*:\s*\w+)?\s*=\s*(?:flask\.)?Flask\(/m.exec(text) ?? [];
    if (flask !== undefined && gunicorn) return web(`gunicorn ${file}:${flask}`);
    const [, fast] = /^(\w+)(?:\s*:\s*\w+)?\s*=\s*(?:fastapi\.)?FastAPI\(/m.exec(text) ?? [];
    if (fast !== undefined && uvicorn) return web(`uvicorn ${file}:${fast} --host 0.0.0.0 --port $PORT`);
  }
  return [];
}
