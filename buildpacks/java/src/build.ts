/** Building from source with Maven or Gradle, or taking what the last staging built of the same sources. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dependency, isThere, Kept, pruneCache, type StepContext } from '../../kit/index.ts';
import { type BuildOutput, builtContainer, gradleOutput, mavenOutput, tidyOutput } from './built.ts';
import type { Container } from './container.ts';
import { chooseGradle, GRADLE_CACHE, GRADLE_OPTIONS, runGradle } from './gradle.ts';
import { installCompiler, removeCompiler } from './jdk.ts';
import { chooseMaven, MAVEN_CACHE, MAVEN_OPTIONS, runMaven } from './maven.ts';
import { readPom } from './pom.ts';
import { installedJava } from './version.ts';

type Source = Extract<Container, { kind: 'maven' | 'gradle' }>;

/** The app as it was built; the log has all of the tool's output. */
export async function buildFromSource(context: StepContext, source: Source): Promise<Container> {
  const { buildDir, cacheDir, dep, env, log } = context;
  const tool = source.kind === 'maven' ? await chooseMaven(context) : await chooseGradle(context);
  const outputOf = (): Promise<BuildOutput> =>
    source.kind === 'maven' ? mavenOutput(buildDir, source.pom, env) : gradleOutput(buildDir, env);
  const kept = await keptBuild(context, tool, source);
  const place = dep.at('built-in');
  const before = kept === undefined ? '' : await readFile(kept.path('place'), 'utf8').catch(() => '');
  if (before !== '' && (await kept?.restore({ built: join(buildDir, before), place })) === true) {
    log.step('Using what the last staging built: sources and options are the same');
    await rm(place);
    return builtContainer(buildDir, await outputOf(), env);
  }
  log.step(`Building with ${source.kind === 'maven' ? 'Maven' : 'Gradle'} ${tool.version}`);
  const compiler = await installCompiler(context, await installedJava(dep.at('jre')));
  const cache = source.kind === 'maven' ? MAVEN_CACHE : GRADLE_CACHE;
  await mkdir(join(cacheDir, cache), { recursive: true });
  if (source.kind === 'maven') await runMaven(context, { maven: tool, pom: source.pom, compiler });
  else await runGradle(context, { gradle: tool, compiler });
  await removeCompiler(context);
  const output = await outputOf();
  const container = await builtContainer(buildDir, output, env);
  if (container.kind !== 'own') {
    const folder = await tidyOutput(buildDir, container, output);
    await writeFile(place, folder);
    await kept?.keep({ built: join(buildDir, folder), place });
    await rm(place);
  }
  await pruneCache(cacheDir, [cache], {
    log,
    limit: env['JAVA_CACHE_LIMIT_MB'],
    variable: 'JAVA_CACHE_LIMIT_MB',
  });
  return container;
}

/** A dependency of Maven that is another one tomorrow. */
const NOT_FIXED =
  /<dependency>(?:(?!<\/dependency>)[\s\S])*?<version>\s*(?:[^<]*-SNAPSHOT|LATEST|RELEASE|[[(][^<]*)\s*<\/version>/;

/** Undefined where the same sources may give something else: scripts of the app, versions that are not fixed. */
async function keptBuild(context: StepContext, tool: Dependency, source: Source): Promise<Kept | undefined> {
  const { buildDir, cacheDir, dep, env, version } = context;
  for (const hook of ['bin/pre_compile', 'bin/post_compile']) {
    if (await isThere(join(buildDir, hook))) return undefined;
  }
  if (source.kind === 'maven' && NOT_FIXED.test(await readPom(buildDir, source.pom))) return undefined;
  const wanted = source.kind === 'maven' ? MAVEN_OPTIONS : GRADLE_OPTIONS;
  const options = Object.entries(env).filter(([name]) => wanted.test(name));
  const java = await readFile(dep.at('jre/release'), 'utf8');
  return Kept.of(cacheDir, 'java-build', {
    facts: [version, java, tool.uri, env['CF_STACK'], process.arch, options.sort()],
    paths: [buildDir],
    leaveOut: ['.git'],
    except: ['target', 'build', '.gradle'],
  });
}
