/**
 * A compiler for the JRE, while an app is built. Debian's JRE has OpenJDK's compiler in it; that of a wheel gets the one
 * of Debian's JDK of the same line, which is written in Java, so that the C library does not matter.
 */

import { createWriteStream } from 'node:fs';
import { chmod, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Dependency, isThere, type StepContext, unpack } from '../../kit/index.ts';

/** What builds are told. */
export interface Compiler {
  /** A program like javac. */
  readonly javac: string;
  /** Whether javax.tools finds the compiler in the JVM itself. */
  readonly inside: boolean;
}

/** A jmod is a zip behind four bytes. */
const JMOD_HEADER = 4;
const MODULES = ['jdk.compiler', 'jdk.internal.opt'];
/** What the module of this name may see of java.base, the class path has to be given. */
const EXPORTS = [
  'jdk.internal.javac',
  'jdk.internal.jmod',
  'jdk.internal.module',
  'jdk.internal.misc',
  'sun.reflect.annotation',
  'sun.invoke.util',
];
const PLATFORMS = 'META-INF/services/com.sun.tools.javac.platform.PlatformProvider';

/** The package with what the JRE of this line lacks; undefined when it lacks nothing. */
export function jdkOf(
  context: Pick<StepContext, 'manifest' | 'choose'>,
  line: number,
): Dependency | undefined {
  const known = context.manifest.dependencies.some(
    ({ name, version }) => name === 'jdk' && version.startsWith(`${line}.`),
  );
  return known ? context.choose('jdk', `${line}.x`) : undefined;
}

/** Makes `deps/<idx>/jdk/bin/javac`, and lends the JRE its tables; {@link removeCompiler} takes all of it away. */
export async function installCompiler(context: StepContext, line: number): Promise<Compiler> {
  const { dep, dependencies } = context;
  const home = dep.at('jdk');
  const jdk = jdkOf(context, line);
  await mkdir(join(home, 'bin'), { recursive: true });
  if (jdk !== undefined) {
    await dependencies.install(jdk, home, {
      pick: (path) =>
        /^usr\/lib\/jvm\/java-\d+-openjdk-\w+\/((?:lib\/ct\.sym)|jmods\/(?:jdk\.compiler|jdk\.internal\.opt)\.jmod)$/.exec(
          path,
        )?.[1],
    });
    // It is only looked for there.
    await rename(join(home, 'lib/ct.sym'), dep.at('jre/lib/ct.sym'));
  }
  const inside = /^MODULES=.*\bjdk\.compiler\b/m.test(await readFile(dep.at('jre/release'), 'utf8'));
  const args = inside ? ['-m', 'jdk.compiler/com.sun.tools.javac.Main'] : await unpackModules(home);
  const javac = join(home, 'bin/javac');
  const quoted = args.map((arg) => `'${arg}'`).join(' ');
  await writeFile(javac, javacScript(dep.at('jre/bin/java'), quoted));
  await chmod(javac, 0o755);
  return { javac, inside };
}

/** `-J…` is for the JVM, as with the real one. */
const javacScript = (java: string, args: string): string => `#!/usr/bin/env bash
jvm=() rest=()
for argument in "$@"; do
  case $argument in -J*) jvm+=("\${argument#-J}") ;; *) rest+=("$argument") ;; esac
done
exec '${java}' "\${jvm[@]}" ${args} "\${rest[@]}"
`;

/** As plain classes: the JVM would hold modules against the sums of those that it was made with. */
async function unpackModules(home: string): Promise<string[]> {
  const path: string[] = [];
  for (const name of MODULES) {
    const jmod = join(home, 'jmods', `${name}.jmod`);
    const zip = join(home, `${name}.zip`);
    await using file = await open(jmod);
    await pipeline(file.createReadStream({ start: JMOD_HEADER, autoClose: false }), createWriteStream(zip));
    const into = join(home, name);
    await unpack(zip, into, { pick: (entry) => /^classes\/((?!module-info).+)$/.exec(entry)?.[1] });
    await rm(zip);
    path.push(into);
  }
  await rm(join(home, 'jmods'), { recursive: true });
  const services = join(path[0] ?? home, PLATFORMS);
  await mkdir(join(services, '..'), { recursive: true });
  await writeFile(services, 'com.sun.tools.javac.platform.JDKPlatformProvider\n');
  return [
    ...EXPORTS.map((name) => `--add-exports=java.base/${name}=ALL-UNNAMED`),
    '-cp',
    path.join(':'),
    'com.sun.tools.javac.Main',
  ];
}

/** Nothing of it is part of the droplet. */
export async function removeCompiler({ dep }: StepContext): Promise<void> {
  await rm(dep.at('jdk'), { recursive: true, force: true });
  if (await isThere(dep.at('jre/lib/ct.sym'))) await rm(dep.at('jre/lib/ct.sym'));
}
