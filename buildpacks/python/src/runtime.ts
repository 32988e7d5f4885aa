/** CPython below deps/<idx>/python, and uv, which installs packages and is not part of the droplet. */
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BuildpackFailure,
  type Dependency,
  demandLibc,
  installLibraries,
  output,
  type StepContext,
} from '../../kit/index.ts';

/** The tests of Python itself are a third of it. */
const LEFT_OUT =
  /^lib\/python[\d.]+\/(test|idlelib|lib2to3\/tests|ensurepip\/_bundled\/pip.*\.whl$)\/|\/__pycache__\//;

/** Of bytedeco's 3.12: where the loader is told to look. */
const OWN_LIBRARY = /^libffi\.so/;
/** Of packages of Debian and Ubuntu; the C library that they link with is in /usr of the stack. */
const IN_PACKAGE = /^usr\/((?:bin\/python|lib\/python3|include\/).*)$/;

/** @throws BuildpackFailure when it does not run on this stack. */
export async function installPython(context: StepContext, python: Dependency): Promise<void> {
  const { dep, dependencies, env } = context;
  const [major = '3', minor = '0'] = python.version.split('.');
  const line = `${major}.${minor}`;
  const home = dep.at('python');
  const program = join(home, 'bin', `python${line}`);
  if (python.debian === undefined) {
    const pick = (path: string) =>
      LEFT_OUT.test(path) ? undefined : OWN_LIBRARY.test(path) ? `lib/${path}` : path;
    await dependencies.install(python, home, { strip: 4, executable: ['bin/*', 'lib/*.so*'], pick });
    await relocate(home, line);
  } else {
    const pick = (path: string) => {
      const inside = IN_PACKAGE.exec(path)?.[1];
      return inside === undefined || LEFT_OUT.test(inside) || inside.endsWith('.a') ? undefined : inside;
    };
    await dependencies.install(python, home, { pick });
    await dependencies.installAll(context.chooseGroup('python', { python: python.version }), home, { pick });
    await asUpstream(home, line);
  }
  await demandLibc(`Python ${python.version}`, [program]);
  for (const name of ['python', 'python3', `python${line}`]) await dep.linkBin(name, program);
  const from = [program, join(home, 'lib', `python${line}`, 'lib-dynload')];
  const missing = await installLibraries(context, { from, into: join(home, 'lib') });
  const asked = await output([program, '-c', 'import ssl, ctypes, sqlite3, zlib'], {
    cwd: '/',
    env: pythonEnv(context),
  });
  if (asked.ok) return;
  const lacks = missing.length === 0 ? '' : `: it lacks ${missing.join(', ')}`;
  throw new BuildpackFailure(
    `Python ${python.version} does not run on stack ${env['CF_STACK'] ?? 'unknown'}${lacks}`,
    { next: 'See its words above. Another version may run, or a newer stack.' },
  );
}

/** Debian and Ubuntu install into folders of their own, and refuse others: here nobody else manages this Python. */
async function asUpstream(home: string, line: string): Promise<void> {
  const lib = join(home, 'lib', `python${line}`);
  await rm(join(lib, 'EXTERNALLY-MANAGED'), { force: true });
  const sysconfig = join(lib, 'sysconfig.py');
  const text = await readFile(sysconfig, 'utf8');
  await writeFile(sysconfig, text.replace("prefix_scheme = 'posix_local'", "prefix_scheme = 'posix_prefix'"));
  await mkdir(join(lib, 'site-packages'), { recursive: true });
  // Where it looks for packages is compiled into 3.11.
  await symlink('site-packages', join(lib, 'dist-packages'));
  for (const name of ['python', 'python3']) await symlink(`python${line}`, join(home, 'bin', name));
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
    // Libraries that the stack lacks; 3.12 has a libffi of its own.
    LD_LIBRARY_PATH: libraries,
    // pyconfig.h of Debian includes another one by its path below include/.
    CPATH: [dep.at('python/include'), env['CPATH']].filter(Boolean).join(':'),
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
