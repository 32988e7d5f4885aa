/** Building with Gradle, which no package registry has: only where a mirror has the distribution that the wrapper names. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import {
  type Argv,
  BuildpackFailure,
  type Checksum,
  checksum,
  type Dependency,
  type Env,
  fetchText,
  isOffline,
  NotThere,
  readText,
  registryUrl,
  run,
  type StepContext,
} from '../../kit/index.ts';
import type { Compiler } from './jdk.ts';
import { shownCommand } from './shown-command.ts';
import { property } from './version.ts';
import { splitWords } from './words.ts';

/** Options that change what is built. */
export const GRADLE_OPTIONS = /^(BP_GRADLE_|GRADLE_|STAGER_GRADLE|STAGER_MAVEN)/;
/** Kept between stagings: what Gradle downloads, and its build cache. */
export const GRADLE_CACHE = 'gradle';

const WRAPPER = 'gradle/wrapper/gradle-wrapper.properties';
const PUBLIC = /^https:\/\/(services|downloads)\.gradle\.org\//;
const HOW =
  'Build it before (./gradlew bootJar, installDist or war) and push the result, or name a mirror of services.gradle.org/distributions in STAGER_GRADLE_MIRROR.';

/**
 * The distribution that the wrapper names, from a mirror.
 *
 * @throws BuildpackFailure without wrapper or mirror, with what to do instead.
 */
export async function chooseGradle(
  context: Pick<StepContext, 'buildDir' | 'env' | 'log'>,
): Promise<Dependency> {
  const { buildDir, env, log } = context;
  const wrapper = await readText(buildDir, WRAPPER);
  if (wrapper === undefined) {
    throw new BuildpackFailure(`this is an app for Gradle without ${WRAPPER}`, { next: HOW });
  }
  const stated = (property(wrapper, 'distributionUrl') ?? '').replaceAll('\\:', ':');
  const [, file = '', version = ''] = /\/(gradle-([\w.-]+?)-(?:bin|all)\.zip)$/.exec(stated) ?? [];
  if (file === '') {
    throw new BuildpackFailure(`${WRAPPER}: distributionUrl is "${stated}"`, {
      next: 'It has to end with something like gradle-8.14-bin.zip.',
    });
  }
  const mirror = (env['STAGER_GRADLE_MIRROR'] ?? '').replace(/\/+$/, '');
  if (mirror === '' && PUBLIC.test(stated)) {
    throw new BuildpackFailure(`this is an app for Gradle ${version}, which no package registry has`, {
      next: HOW,
    });
  }
  const uri = mirror === '' ? stated : `${mirror}/${file}`;
  log.info(`Gradle ${version} (${WRAPPER})`);
  return {
    name: 'gradle',
    version,
    uri,
    checksum: await sumOf(uri, property(wrapper, 'distributionSha256Sum')),
  };
}

/** That of the wrapper, else what lies beside the file. */
async function sumOf(uri: string, stated: string | undefined): Promise<Checksum> {
  const own = checksum('sha256', stated ?? '');
  if (own !== undefined) return own;
  let beside = '';
  try {
    beside = await fetchText(`${uri}.sha256`, 1024);
  } catch (error) {
    if (!(error instanceof NotThere)) throw error;
  }
  const found = checksum('sha256', beside.trim().split(/\s/)[0] ?? '');
  if (found !== undefined) return found;
  throw new BuildpackFailure(`nothing states the checksum of ${posix.basename(uri)}`, {
    next: `Add distributionSha256Sum to ${WRAPPER}, or let the mirror have ${posix.basename(uri)}.sha256.`,
  });
}

/** Runs it in the app. */
export async function runGradle(
  context: StepContext,
  build: { readonly gradle: Dependency; readonly compiler: Compiler },
): Promise<void> {
  const { buildDir, cacheDir, dep, dependencies, env, log } = context;
  if (!build.compiler.inside) {
    throw new BuildpackFailure(
      'Gradle needs a JVM with a compiler in it, which the wheel of this Java has not',
      {
        next: 'Build with Java 17 (BP_JAVA_VERSION=17), on a stack with glibc 2.38 or newer, or push the built jar.',
      },
    );
  }
  const home = dep.at('gradle');
  await dependencies.install(build.gradle, home, { strip: 1, executable: ['bin/*'] });
  // Gradle takes a JVM for a JDK if this is there.
  const javac = dep.at('jre/bin/javac');
  await writeFile(javac, `#!/bin/sh\nexec '${build.compiler.javac}' "$@"\n`);
  await chmod(javac, 0o755);
  const script = dep.at('mirror.gradle');
  await writeFile(script, mirrorScript(env));
  const cache = join(cacheDir, GRADLE_CACHE);
  await mkdir(cache, { recursive: true });
  const argv: Argv = [
    join(home, 'bin/gradle'),
    '--gradle-user-home',
    cache,
    '--init-script',
    script,
    ...(isOffline() ? ['--offline'] : []),
    ...tasksOf(env),
  ];
  log.info(shownCommand(argv, home, context));
  await run(argv, {
    cwd: buildDir,
    env: {
      ...env,
      JAVA_HOME: dep.at('jre'),
      GRADLE_USER_HOME: cache,
      GRADLE_OPTS: env['GRADLE_OPTS'] ?? '-Xmx512m',
    },
    next: 'See the output above. Where repositories are out of reach, STAGER_MAVEN_MIRROR names a mirror of Maven Central.',
  });
  for (const path of [home, script, javac]) await rm(path, { recursive: true, force: true });
}

/** Options of Paketo's buildpack, else of Heroku's, else everything but tests. */
export function tasksOf(env: Env): string[] {
  const words = splitWords(env['BP_GRADLE_BUILD_ARGUMENTS'] ?? '', 'BP_GRADLE_BUILD_ARGUMENTS');
  if (words.length > 0) return words;
  const task = splitWords(env['GRADLE_TASK'] ?? '', 'GRADLE_TASK');
  return ['--no-daemon', '--console=plain', ...(task.length > 0 ? task : ['assemble'])];
}

/** Maven Central, and only that, is asked at the mirror: where projects name it, and where settings.gradle does for all of them. */
function mirrorScript(env: Env): string {
  const mirror = registryUrl('maven', env);
  return `def central = { repositories ->
  repositories.withType(MavenArtifactRepository).all {
    if (it.url.toString() ==~ 'https://repo(1)?\\\\.maven(\\\\.apache)?\\\\.org/maven2/?') it.url = uri('${mirror.replaceAll("'", "\\'")}')
  }
}
['pluginManagement', 'dependencyResolutionManagement'].each { block ->
  settingsEvaluated { if (it.hasProperty(block)) central(it[block].repositories) }
}
allprojects { central(repositories); central(buildscript.repositories) }
`;
}
