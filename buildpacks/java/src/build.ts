/** Building from source with Maven, or taking what the last staging built of the same sources. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dependency, isThere, Kept, pruneCache, type StepContext } from '../../kit/index.ts';
import { builtContainer, tidyTarget } from './built.ts';
import type { Container } from './container.ts';
import { installCompiler, removeCompiler } from './jdk.ts';
import { chooseMaven, MAVEN_CACHE, MAVEN_OPTIONS, runMaven } from './maven.ts';
import { readPom } from './pom.ts';
import { installedJava } from './version.ts';

/** The app as it was built; the log has all of Maven's output. */
export async function buildMaven(context: StepContext, pom: string): Promise<Container> {
  const { buildDir, cacheDir, dep, env, log } = context;
  const maven = await chooseMaven(context);
  const kept = await keptBuild(context, maven, pom);
  const place = dep.at('built-in');
  const before = kept === undefined ? '' : await readFile(kept.path('place'), 'utf8').catch(() => '');
  if (before !== '' && (await kept?.restore({ target: join(buildDir, before), place })) === true) {
    log.step('Using what the last staging built: sources and options are the same');
    await rm(place);
    return builtContainer(buildDir, pom, env);
  }
  log.step(`Building with Maven ${maven.version}`);
  const compiler = await installCompiler(context, await installedJava(dep.at('jre')));
  await mkdir(join(cacheDir, MAVEN_CACHE), { recursive: true });
  await runMaven(context, { maven, pom, compiler });
  await removeCompiler(context);
  const container = await builtContainer(buildDir, pom, env);
  const target = await tidyTarget(buildDir, container);
  await writeFile(place, target);
  await kept?.keep({ target: join(buildDir, target), place });
  await rm(place);
  await pruneCache(cacheDir, [MAVEN_CACHE], {
    log,
    limit: env['JAVA_CACHE_LIMIT_MB'],
    variable: 'JAVA_CACHE_LIMIT_MB',
  });
  return container;
}

/** Undefined where the same sources may give something else: scripts of the app, versions that are not fixed. */
async function keptBuild(context: StepContext, maven: Dependency, pom: string): Promise<Kept | undefined> {
  const { buildDir, cacheDir, dep, env, version } = context;
  for (const hook of ['bin/pre_compile', 'bin/post_compile'])
    if (await isThere(join(buildDir, hook))) return undefined;
  if (
    /<dependency>(?:(?!<\/dependency>)[\s\S])*?<version>\s*(?:[^<]*-SNAPSHOT|LATEST|RELEASE|[[(][^<]*)\s*<\/version>/.test(
      await readPom(buildDir, pom),
    )
  )
    return undefined;
  const options = Object.entries(env).filter(([name]) => MAVEN_OPTIONS.test(name));
  const java = await readFile(dep.at('jre/release'), 'utf8');
  return Kept.of(cacheDir, 'java-build', {
    facts: [version, java, maven.version, env['CF_STACK'], process.arch, options.sort()],
    paths: [buildDir],
    leaveOut: ['.git'],
    except: ['target'],
  });
}
