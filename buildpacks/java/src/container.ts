/** What kind of Java app this is, in the order of Cloud Foundry's buildpack; the jar's manifest decides, not its name. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildpackFailure, type Env, isThere, readText } from '../../kit/index.ts';
import { findDistZip } from './dist-zip.ts';
import { type JarManifest, unpackedManifest, withJar } from './jar.ts';
import { inJar, inTree, type Look, mainOfClasses } from './main-class.ts';
import { readJavaSettings } from './settings.ts';

interface Found {
  /** What it was recognised by, as messages call it. */
  readonly what: string;
  readonly manifest?: JarManifest | undefined;
  /** The Java that its main class was compiled for. */
  readonly needsJava?: number | undefined;
}

/** An app, as it is started or built. */
export type Container = Found &
  (
    | { readonly kind: 'spring-boot' | 'java-main' | 'dist-zip'; readonly command: string }
    /** Without `war`, the app itself is the unpacked war. */
    | { readonly kind: 'tomcat'; readonly war?: string }
    | { readonly kind: 'maven'; readonly pom: string }
    | { readonly kind: 'gradle' }
    /** The Procfile, or another buildpack, starts it. */
    | { readonly kind: 'own' }
  );

const isBoot = (manifest: JarManifest): boolean =>
  'Start-Class' in manifest || Object.keys(manifest).some((key) => key.startsWith('Spring-Boot-'));

/** @throws BuildpackFailure for apps that can't be run, with what was found and the way out. */
export async function findContainer(dir: string, env: Env): Promise<Container> {
  const names = (await readdir(dir)).sort();
  const hasProcfile = names.includes('Procfile');
  const found = (await explicitMain(dir, env, names)) ?? (await firstOf(dir, env, names));
  if (found !== undefined) return found;
  if (hasProcfile) return { kind: 'own', what: 'the Procfile' };
  throw await nothingToRun(dir, names);
}

/** JBP_CONFIG_JAVA_MAIN and JAVA_MAIN_CLASS come before all that the files say. */
async function explicitMain(dir: string, env: Env, names: readonly string[]): Promise<Container | undefined> {
  const { java_main_class, arguments: more } = readJavaSettings(env).JBP_CONFIG_JAVA_MAIN;
  const main = java_main_class ?? (env['JAVA_MAIN_CLASS'] || undefined);
  if (main === undefined) return undefined;
  const source = java_main_class === undefined ? 'JAVA_MAIN_CLASS' : 'JBP_CONFIG_JAVA_MAIN';
  const { path, needsJava } = await mainOfClasses(dir, { main, source, names });
  return {
    kind: 'java-main',
    what: main,
    needsJava,
    manifest: await unpackedManifest(dir),
    command: javaCommand(['-cp', path, main], more),
  };
}

async function firstOf(dir: string, env: Env, names: readonly string[]): Promise<Container | undefined> {
  const { arguments: more } = readJavaSettings(env).JBP_CONFIG_JAVA_MAIN;
  const manifest = await unpackedManifest(dir);
  const prefersTomcat = (env['JBP_CONFIG_TOMCAT'] ?? '') !== '';
  if (manifest !== undefined && isBoot(manifest)) {
    const classes = names.includes('BOOT-INF') ? 'BOOT-INF/classes' : 'WEB-INF/classes';
    if (names.includes('BOOT-INF') || (names.includes('WEB-INF') && !prefersTomcat)) {
      return unpackedBoot(dir, { manifest, classes, more });
    }
  }
  const jars = await lookAtArchives(dir, names);
  const boots = jars.filter((jar) => isBoot(jar.manifest) && !(jar.name.endsWith('.war') && prefersTomcat));
  const boot = only(boots, 'are executable jars of Spring Boot', names);
  if (boot !== undefined) return fromJar('spring-boot', boot, more);
  if (names.includes('WEB-INF')) {
    return {
      kind: 'tomcat',
      what: 'WEB-INF',
      manifest,
      needsJava: await inTree(join(dir, 'WEB-INF/classes')),
    };
  }
  const war = only(
    jars.filter(({ name }) => name.endsWith('.war')),
    'are wars',
    names,
  );
  if (war !== undefined) return { kind: 'tomcat', war: war.name, what: war.name, ...withoutName(war) };
  await refuseScripts(names);
  const zip = await findDistZip(dir, names);
  if (zip !== undefined) return zip;
  const main = only(
    jars.filter((jar) => 'Main-Class' in jar.manifest),
    'have a Main-Class',
    names,
  );
  if (main !== undefined) return fromJar('java-main', main, more);
  const mainClass = manifest?.['Main-Class'];
  if (mainClass !== undefined) {
    const { path, needsJava } = await mainOfClasses(dir, {
      main: mainClass,
      source: 'META-INF/MANIFEST.MF',
      names,
    });
    return {
      kind: 'java-main',
      what: mainClass,
      manifest,
      needsJava,
      command: javaCommand(['-cp', path, mainClass], more),
    };
  }
  if (jars.length > 0) return undefined;
  const pom = env['BP_MAVEN_POM_FILE'] || 'pom.xml';
  if (await isThere(join(dir, pom))) return { kind: 'maven', pom, what: pom };
  if (names.some((name) => /^build\.gradle(\.kts)?$/.test(name)))
    return { kind: 'gradle', what: 'build.gradle' };
  return undefined;
}

async function unpackedBoot(
  dir: string,
  app: { readonly manifest: JarManifest; readonly classes: string; readonly more: string | undefined },
): Promise<Container> {
  const { manifest, more } = app;
  const launcher = manifest['Main-Class'];
  if (launcher === undefined) {
    throw new BuildpackFailure('META-INF/MANIFEST.MF of this Spring Boot app has no Main-Class', {
      next: "Build it with Spring Boot's plugin (repackage, bootJar), which adds the launcher.",
    });
  }
  const start = manifest['Start-Class'];
  return {
    kind: 'spring-boot',
    what: start ?? launcher,
    manifest,
    needsJava: await inTree(join(dir, app.classes), start),
    command: javaCommand(['-cp', '.', launcher], more),
  };
}

type Archive = Look & { readonly name: string; readonly manifest: JarManifest };

/** Jars and wars at the top; those beside the app's own (sources, what shading left) don't count. */
async function lookAtArchives(dir: string, names: readonly string[]): Promise<Archive[]> {
  const archives: Archive[] = [];
  for (const name of names) {
    if (!/\.[jw]ar$/.test(name) || /^original-|-(sources|javadoc|tests)\.jar$/.test(name)) continue;
    const seen = await withJar(join(dir, name), name, async (jar) => ({
      manifest: jar.manifest,
      needsJava: await inJar(jar),
    }));
    archives.push({ name, ...seen });
  }
  return archives;
}

/** An archive by itself, as a build made it; undefined when it can't be run. */
export async function containerOf(dir: string, path: string, env: Env): Promise<Container | undefined> {
  const { arguments: more } = readJavaSettings(env).JBP_CONFIG_JAVA_MAIN;
  const [jar] = await lookAtArchives(dir, [path]);
  if (jar === undefined) return undefined;
  const prefersTomcat = (env['JBP_CONFIG_TOMCAT'] ?? '') !== '';
  if (isBoot(jar.manifest) && !(path.endsWith('.war') && prefersTomcat))
    return fromJar('spring-boot', jar, more);
  if (path.endsWith('.war')) return { kind: 'tomcat', war: path, what: path, ...withoutName(jar) };
  return 'Main-Class' in jar.manifest ? fromJar('java-main', jar, more) : undefined;
}

function fromJar(kind: 'spring-boot' | 'java-main', jar: Archive, more: string | undefined): Container {
  return { kind, what: jar.name, ...withoutName(jar), command: javaCommand(['-jar', jar.name], more) };
}

const withoutName = ({ manifest, needsJava }: Archive) => ({ manifest, needsJava });

/** @throws BuildpackFailure when there are several, unless a Procfile says which. */
function only(found: readonly Archive[], are: string, names: readonly string[]): Archive | undefined {
  if (found.length < 2) return found[0];
  if (names.includes('Procfile')) return undefined;
  throw new BuildpackFailure(`${found.map(({ name }) => name).join(', ')} ${are}: which one is the app?`, {
    next: `Push one of them, or add a Procfile such as: web: java-run -jar ${found[0]?.name}`,
  });
}

/** `java-run` starts java with the options of JAVA_OPTS, which a shell would take apart wrongly. */
function javaCommand(args: readonly string[], more: string | undefined): string {
  const quoted = args.map((arg) =>
    /^[\w./:@%+=,-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`,
  );
  return ['java-run', ...quoted, ...(more === undefined || more === '' ? [] : [more])].join(' ');
}

async function refuseScripts(names: readonly string[]): Promise<void> {
  const groovy = names.find((name) => name.endsWith('.groovy'));
  if (groovy === undefined || names.includes('Procfile')) return;
  if (names.some((name) => /\.jar$|^(pom\.xml|build\.gradle(\.kts)?)$/.test(name))) return;
  throw new BuildpackFailure(`${groovy}: Groovy scripts and the Spring Boot CLI are not supported`, {
    next: 'Build an executable jar (Maven, Gradle, spring jar) and push that.',
  });
}

/** Says what is there, since "no container" says nothing. */
async function nothingToRun(dir: string, names: readonly string[]): Promise<BuildpackFailure> {
  const jar = names.find((name) => name.endsWith('.jar'));
  if (jar !== undefined) {
    return new BuildpackFailure(`no jar has a Main-Class in its manifest; there is ${jar}`, {
      next: "Build an executable jar (Maven's jar plugin: mainClass; Spring Boot: repackage), or set JAVA_MAIN_CLASS.",
    });
  }
  for (const folder of ['target', 'build/libs']) {
    const built = (await readdir(join(dir, folder)).catch(() => [])).find((name) => /\.[jw]ar$/.test(name));
    if (built === undefined) continue;
    return new BuildpackFailure(`there is no app at the top, but ${folder}/${built}`, {
      next: `Push that file: stager stage ${folder}/${built}`,
    });
  }
  const sbt =
    (await readText(dir, 'build.sbt')) === undefined ? undefined : 'build.sbt: sbt is not supported';
  return new BuildpackFailure(
    sbt ??
      `nothing here can be run: no executable jar, no war or WEB-INF, no bin/ and lib/ of a distribution, no Main-Class, no pom.xml; there is ${
        names.slice(0, 8).join(', ') || 'nothing'
      }`,
    {
      next: 'Push the built jar or war, or a folder with a pom.xml; JAVA_MAIN_CLASS names a class to start.',
    },
  );
}
