/** What a build left behind: the archive that is the app, found by what its manifest says. */
import { readdir, rm } from 'node:fs/promises';
import { join, matchesGlob, posix } from 'node:path';
import { BuildpackFailure, type Env, isThere, readText } from '../../kit/index.ts';
import { type Container, containerOf } from './container.ts';

/** Beside the archive, a build leaves these, twice the size of the app. */
const LEFT_BY_BUILDS =
  /^(classes|test-classes|generated-(test-)?sources|generated-(test-)?resources|maven-status|maven-archiver|surefire-reports|antrun)$|\.original$|^original-.*\.jar$/;
const QUARKUS = 'quarkus-app/quarkus-run.jar';

/**
 * The app among what Maven built.
 *
 * @throws BuildpackFailure when nothing of it can be run, or when several can.
 */
export async function builtContainer(dir: string, pom: string, env: Env): Promise<Container> {
  const module = env['BP_MAVEN_BUILT_MODULE'] ?? '';
  const modules = module === '' ? await modulesOf(dir, pom) : [module];
  const glob = env['BP_MAVEN_BUILT_ARTIFACT'] ?? '';
  const archives: string[] = [];
  for (const at of modules) archives.push(...(await archivesIn(dir, at, glob)));
  const found: Container[] = [];
  for (const path of archives) {
    const one = await containerOf(dir, path, env);
    if (one !== undefined) found.push(one);
  }
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  if (first !== undefined) {
    throw new BuildpackFailure(`the build made several apps: ${found.map(({ what }) => what).join(', ')}`, {
      next: 'BP_MAVEN_BUILT_MODULE names the module, or BP_MAVEN_BUILT_ARTIFACT the file (such as target/app-*.jar).',
    });
  }
  const where = modules.map((at) => posix.join(at, glob === '' ? 'target' : glob)).join(', ');
  const made = archives.length === 0 ? 'no jar or war' : `${archives.join(', ')}, which has no Main-Class`;
  throw new BuildpackFailure(`the build made nothing to run: ${where} has ${made}`, {
    next: "Name the main class in pom.xml: spring-boot-maven-plugin (repackage), or maven-jar-plugin's manifest.",
  });
}

/** The module itself, and those that it names, with theirs. */
async function modulesOf(dir: string, pom: string): Promise<string[]> {
  const text = ((await readText(dir, pom)) ?? '').replaceAll(/<!--[\s\S]*?-->/g, '');
  const at = posix.dirname(pom);
  const all = [at];
  for (const [, name = ''] of text.matchAll(/<module>\s*([\w./-]+?)\s*<\/module>/g)) {
    const path = posix.join(at, name.endsWith('.xml') ? name : `${name}/pom.xml`);
    if (!path.startsWith('..')) all.push(...(await modulesOf(dir, path)));
  }
  return [...new Set(all)];
}

async function archivesIn(dir: string, at: string, glob: string): Promise<string[]> {
  const names = await readdir(join(dir, at, 'target')).catch(() => []);
  if (glob !== '')
    return names
      .map((name) => posix.join(at, 'target', name))
      .filter((path) => matchesGlob(path, posix.join(at, glob)));
  if (await isThere(join(dir, at, 'target', QUARKUS))) {
    return [posix.join(at, 'target', QUARKUS)];
  }
  return names
    .filter((name) => /\.[jw]ar$/.test(name) && !/^original-|-(sources|javadoc|tests)\.jar$/.test(name))
    .map((name) => posix.join(at, 'target', name));
}

/** Removes what only the build needed from the `target` that the app lies in; that directory. */
export async function tidyTarget(dir: string, container: Container): Promise<string> {
  const [target = 'target'] = /^.*?target(?=\/)/.exec(container.what) ?? [];
  for (const name of await readdir(join(dir, target))) {
    if (LEFT_BY_BUILDS.test(name)) await rm(join(dir, target, name), { recursive: true });
  }
  return target;
}
