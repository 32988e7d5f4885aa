/** CPython below deps/<idx>/python, and uv, which installs packages and is not part of the droplet. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildpackFailure, type Dependency, demandLibc, output, type StepContext } from '../../kit/index.ts';

/** The tests of Python itself are a third of it. */
const LEFT_OUT =
  /^lib\/python[\d.]+\/(test|idlelib|lib2to3\/tests|ensurepip\/_bundled\/pip.*\.whl$)\/|\/__pycache__\//;

/** @throws BuildpackFailure when it does not run on this stack. */
export async function installPython(context: StepContext, python: Dependency): Promise<void> {
  const { dep, dependencies, env } = context;
  const [major = '3', minor = '0'] = python.version.split('.');
  const line = `${major}.${minor}`;
  await dependencies.install(python, dep.at('python'), {
    strip: 4,
    executable: ['bin/*', 'lib/*.so*'],
    pick: (path) => (LEFT_OUT.test(path) ? undefined : path),
  });
  const program = dep.at('python/bin', `python${line}`);
  await demandLibc(`Python ${python.version}`, [program]);
  for (const name of ['python', 'python3', `python${line}`]) await dep.linkBin(name, program);
  await relocate(dep.at('python'), line);
  const asked = await output([program, '-c', 'import ssl, ctypes, sqlite3, zlib'], {
    cwd: '/',
    env: pythonEnv(context),
  });
  if (asked.ok) return;
  throw new BuildpackFailure(
    `Python ${python.version} does not run on stack ${env['CF_STACK'] ?? 'unknown'}`,
    {
      next: 'It needs libsqlite3, libbz2, liblzma, libreadline, libncursesw and libuuid of the stack; see its words above.',
    },
  );
}

/** C extensions are compiled with the paths of the machine that Python was built on: they get the ones of here. */
async function relocate(home: string, line: string): Promise<void> {
  const lib = join(home, 'lib', `python${line}`);
  for (const name of await readdir(lib)) {
    if (!/^_sysconfigdata.*\.py$/.test(name)) continue;
    const text = await readFile(join(lib, name), 'utf8');
    const prefix = /'prefix': '([^']+)'/.exec(text)?.[1];
    if (prefix === undefined || !prefix.startsWith('/')) continue;
    await writeFile(join(lib, name), text.replaceAll(prefix, home));
  }
}

/** For every run of Python while staging. */
export function pythonEnv(context: Pick<StepContext, 'env' | 'dep'>): Record<string, string | undefined> {
  const { env, dep } = context;
  const libraries = [dep.at('python/lib'), env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
  return {
    ...env,
    PATH: `${dep.at('python/bin')}:${env['PATH'] ?? ''}`,
    // 3.12 has a libffi of its own beside it.
    LD_LIBRARY_PATH: libraries,
    SSL_CERT_FILE: env['SSL_CERT_FILE'] ?? '/etc/ssl/certs/ca-certificates.crt',
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONUNBUFFERED: '1',
  };
}

/** Where uv is while staging. */
export async function installUv(context: StepContext): Promise<string> {
  const { dep, dependencies } = context;
  await dependencies.install(context.choose('uv'), dep.at('uv'), {
    executable: ['uv'],
    pick: (path) => (/^uv-[^/]+\.data\/scripts\/uv$/.test(path) ? 'uv' : undefined),
  });
  return dep.at('uv/uv');
}
