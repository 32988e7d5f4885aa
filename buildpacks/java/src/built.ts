/** What a build left behind: the archive that is the app, found by what its manifest says. */
import { readdir, rm } from 'node:fs/promises';
import { join, matchesGlob, posix } from 'node:path';
import { BuildpackFailure, type Env, isThere, readText } from '../../kit/index.ts';
import { type Container, containerOf } from './container.ts';

/** Beside the archive, a build leaves these, twice the size of the app. */
const LEFT_BY_BUILDS =
  /^(classes|test-classes|generated-(test-)?sources|generated-(test-)?resources|maven-status|maven-archiver|surefire-reports|antrun|reports|tmp)$|\.original$|^original-.*\.jar$/;
const QUARKUS = 'quarkus-app/quarkus-run.jar';

/** Where a tool puts what it builds, and who says which of it is the app. */
export interface BuildOutput {
  /** Folders of modules, relative to the app. */
  readonly modules: readonly string[];
  /** `target`, `build`. */
  readonly folder: string;
  /** Where archives are in it. */
  readonly archives: string;
  readonly glob: string;
  /** `BP_MAVEN_BUILT`, of the variables that choose. */
  readonly variables: string;
  readonly advice: string;
}

/** Of Maven: the module itself, and those that its pom names, with theirs. */
export async function mavenOutput(dir: string, pom: string, env: Env): Promise<BuildOutput> {
  const poms = new Set<string>();
  const visit = async (path: string): Promise<void> => {
    const text = await readText(dir, path);
    if (text === undefined || poms.has(path)) return;
    poms.add(path);
    for (const [, name = ''] of text
      .replaceAll(/<!--[\s\S]*?-->/g, '')
      .matchAll(/<module>\s*([\w./-]+?)\s*<\/module>/g)) {
      const below = posix.join(posix.dirname(path), name.endsWith('.xml') ? name : `${name}/pom.xml`);
      if (!below.startsWith('..')) await visit(below);
    }
  };
  await visit(posix.normalize(pom));
  const module = env['BP_MAVEN_BUILT_MODULE'] ?? '';
  return {
    modules: module === '' ? [...poms].map((path) => posix.dirname(path)) : [module],
    folder: 'target',
    archives: 'target',
    glob: env['BP_MAVEN_BUILT_ARTIFACT'] ?? '',
    variables: 'BP_MAVEN_BUILT',
    advice:
      "Name the main class in pom.xml: spring-boot-maven-plugin (repackage), or maven-jar-plugin's manifest.",
  };
}

/** Of Gradle: the root, and what settings.gradle includes. */
export async function gradleOutput(dir: string, env: Env): Promise<BuildOutput> {
  const settings =
    (await readText(dir, 'settings.gradle')) ?? (await readText(dir, 'settings.gradle.kts')) ?? '';
  const included = [...settings.matchAll(/^\s*include\b(.+)$/gm)].flatMap(([, list = '']) =>
    [...list.matchAll(/["']:?([\w:.-]+)["']/g)].map(([, name = '']) => name.replaceAll(':', '/')),
  );
  const module = env['BP_GRADLE_BUILT_MODULE'] ?? '';
  return {
    modules: module === '' ? ['.', ...included] : [module],
    folder: 'build',
    archives: 'build/libs',
    glob: env['BP_GRADLE_BUILT_ARTIFACT'] ?? '',
    variables: 'BP_GRADLE_BUILT',
    advice: "Apply Spring Boot's plugin, or name Main-Class in the manifest of the task jar.",
  };
}

/**
 * The app among what was built.
 *
 * @throws BuildpackFailure when nothing of it can be run, or several can, unless a Procfile says what.
 */
export async function builtContainer(dir: string, output: BuildOutput, env: Env): Promise<Container> {
  const archives: string[] = [];
  for (const at of output.modules) archives.push(...(await archivesIn(dir, at, output)));
  const found: Container[] = [];
  for (const path of archives) {
    const one = await containerOf(dir, path, env);
    if (one !== undefined) found.push(one);
  }
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  if (await isThere(join(dir, 'Procfile'))) return { kind: 'own', what: 'the Procfile' };
  const { variables, glob } = output;
  if (first !== undefined) {
    throw new BuildpackFailure(`the build made several apps: ${found.map(({ what }) => what).join(', ')}`, {
      next: `${variables}_MODULE names the module, or ${variables}_ARTIFACT the file (such as ${output.archives}/app-*.jar).`,
    });
  }
  const where = output.modules.map((at) => posix.join(at, glob === '' ? output.archives : glob)).join(', ');
  const made = archives.length === 0 ? 'no jar or war' : `${archives.join(', ')}, without a Main-Class`;
  throw new BuildpackFailure(`the build made nothing to run: ${where} has ${made}`, { next: output.advice });
}

async function archivesIn(dir: string, at: string, output: BuildOutput): Promise<string[]> {
  const { archives, folder, glob } = output;
  const names = await readdir(join(dir, at, archives)).catch(() => []);
  const paths = names.map((name) => posix.join(at, archives, name));
  if (glob !== '') return paths.filter((path) => matchesGlob(path, posix.join(at, glob)));
  const quarkus = posix.join(at, folder, QUARKUS);
  if (await isThere(join(dir, quarkus))) return [quarkus];
  return paths.filter(
    (path) => /\.[jw]ar$/.test(path) && !/\/original-|-(sources|javadoc|tests)\.jar$/.test(path),
  );
}

/** Removes what only the build needed from the folder that the app lies in; that folder. */
export async function tidyOutput(dir: string, container: Container, output: BuildOutput): Promise<string> {
  const end = container.what.lastIndexOf(`${output.folder}/`);
  const folder = container.what.slice(0, end + output.folder.length);
  for (const name of await readdir(join(dir, folder))) {
    if (LEFT_BY_BUILDS.test(name)) await rm(join(dir, folder, name), { recursive: true });
  }
  return folder;
}
