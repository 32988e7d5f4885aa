/** Building with Maven: which one, its options, and its caches. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Argv,
  BuildpackFailure,
  checksum,
  type Dependency,
  download,
  type Env,
  highestMatch,
  isOffline,
  isThere,
  readText,
  run,
  type StepContext,
  statedMavenSum,
  versionsOf,
} from '../../kit/index.ts';
import type { Compiler } from './jdk.ts';
import { settingsXml } from './maven-settings.ts';
import { shownCommand } from './shown-command.ts';
import { property } from './version.ts';
import { splitWords } from './words.ts';

/** Options that change what is built. */
export const MAVEN_OPTIONS = /^(BP_MAVEN_|MAVEN_|STAGER_MAVEN|MVNW_)/;
/** Kept between stagings: what Maven downloads. */
export const MAVEN_CACHE = 'm2';

const WRAPPER = '.mvn/wrapper/maven-wrapper.properties';

interface MavenWish {
  readonly source: string;
  readonly version: string;
  /** sha256 of the zip, where the wrapper states it. */
  readonly zipSum?: string | undefined;
}

/** First that says something wins: BP_MAVEN_VERSION, system.properties, the wrapper. */
async function mavenWish(dir: string, env: Env): Promise<MavenWish | undefined> {
  const asked = env['BP_MAVEN_VERSION'] || undefined;
  if (asked !== undefined) return { source: 'BP_MAVEN_VERSION', version: asked };
  const stated = property(await readText(dir, 'system.properties'), 'maven.version');
  if (stated !== undefined) return { source: 'maven.version in system.properties', version: stated };
  const wrapper = await readText(dir, WRAPPER);
  const url = property(wrapper, 'distributionUrl');
  if (url === undefined) return undefined;
  const [, version] = /apache-maven-([\w.-]+?)-bin\.(?:zip|tar\.gz)/.exec(url) ?? [];
  if (version === undefined) {
    throw new BuildpackFailure(`${WRAPPER}: distributionUrl is "${url}"`, {
      next: 'It has to end with something like apache-maven-3.9.16-bin.zip; or set BP_MAVEN_VERSION.',
    });
  }
  return {
    source: WRAPPER,
    version,
    zipSum: url.endsWith('.zip') ? property(wrapper, 'distributionSha256Sum') : undefined,
  };
}

/** @throws BuildpackFailure when neither the manifest nor Maven Central has it. */
export async function chooseMaven(
  context: Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose' | 'buildDir'>,
): Promise<Dependency> {
  const { manifest, env, log, buildDir } = context;
  const wish = await mavenWish(buildDir, env);
  if (wish === undefined) return context.choose('maven');
  const { version, source } = wish;
  const listed = versionsOf(manifest, 'maven', { stack: env['CF_STACK'] ?? '', arch: process.arch });
  const offline = manifest.dependencies.some(({ file }) => file !== undefined);
  const known = /^\d+\.\d+\.\d+/.test(version)
    ? listed.includes(version)
    : highestMatch(version, listed) !== undefined;
  log.info(`Maven ${version} (${source})`);
  if (known) return context.choose('maven', version);
  if (offline) {
    log.warning(`This buildpack was packaged with Maven ${listed.join(', ')}: that is used instead.`);
    return context.choose('maven');
  }
  const name = /^\d+\.\d+\.\d+(-[\w-]+)?$/.test(version) ? version : '';
  const form = wish.zipSum === undefined ? 'tar.gz' : 'zip';
  const uri = `maven:org.apache.maven:apache-maven:${name}:bin@${form}`;
  const sum =
    name === ''
      ? undefined
      : wish.zipSum === undefined
        ? await statedMavenSum(uri, env)
        : checksum('sha256', wish.zipSum);
  if (sum !== undefined) return { name: 'maven', version: name, uri, checksum: sum };
  throw new BuildpackFailure(`${source} asks for Maven ${version}, which is not available`, {
    next: `Available: ${listed.join(', ')}, and every version that Maven Central has, such as 3.8.8.`,
  });
}

/** Runs it in the app. */
export async function runMaven(
  context: StepContext,
  build: { readonly maven: Dependency; readonly pom: string; readonly compiler: Compiler },
): Promise<void> {
  const { buildDir, cacheDir, dep, dependencies, env, log } = context;
  const home = dep.at('maven');
  await dependencies.install(build.maven, home, { strip: 1 });
  const own = dep.at('maven-settings.xml');
  await writeFile(own, settingsXml(env), { mode: 0o600 });
  const argv: Argv = [
    join(home, 'bin/mvn'),
    '-B',
    // What was recorded may come from a repository of another name.
    ...(isOffline() ? ['-o', '-Daether.enhancedLocalRepository.trackingFilename=none'] : []),
    ...['-gs', own],
    ...(await settingsOfApp(context)),
    ...(build.pom === 'pom.xml' ? [] : ['-f', build.pom]),
    `-Dmaven.repo.local=${join(cacheDir, MAVEN_CACHE)}`,
    ...(build.compiler.inside
      ? []
      : ['-Dmaven.compiler.fork=true', `-Dmaven.compiler.executable=${build.compiler.javac}`]),
    ...argumentsOf(env),
  ];
  log.info(shownCommand(argv, home, context));
  await run(argv, {
    cwd: buildDir,
    env: {
      ...env,
      JAVA_HOME: dep.at('jre'),
      MAVEN_HOME: undefined,
      M2_HOME: undefined,
      MAVEN_OPTS: env['MAVEN_OPTS'] ?? env['MAVEN_JAVA_OPTS'] ?? '-Xmx1024m',
      // The repository is the only thing that is kept.
      MAVEN_USER_HOME: dep.at('maven-home'),
    },
    next:
      'See the output above. If packages could not be transferred: STAGER_MAVEN_MIRROR names a mirror, a settings.xml in the app (or ' +
      'MAVEN_SETTINGS_PATH) other repositories and their credentials.',
  });
  for (const name of ['maven', 'maven-home', 'maven-settings.xml', 'app-settings.xml']) {
    await rm(dep.at(name), { recursive: true, force: true });
  }
}

/** What runs: the options of Paketo's buildpack, else those of Heroku's, else packaging without tests. */
export function argumentsOf(env: Env): string[] {
  const words = (name: string): string[] | undefined => {
    const text = env[name] ?? '';
    return text.trim() === '' ? undefined : splitWords(text, name);
  };
  const profiles = env['BP_MAVEN_ACTIVE_PROFILES'] ?? '';
  return [
    ...(profiles === '' ? [] : ['-P', profiles]),
    ...(words('BP_MAVEN_BUILD_ARGUMENTS') ?? [
      ...(words('MAVEN_CUSTOM_OPTS') ?? ['-Dmaven.test.skip=true']),
      '--no-transfer-progress',
      ...(words('MAVEN_CUSTOM_GOALS') ?? ['package']),
    ]),
    ...(words('BP_MAVEN_ADDITIONAL_BUILD_ARGUMENTS') ?? []),
  ];
}

/** Settings of the app: a file that a variable names, one from a URL, or settings.xml at its top. */
async function settingsOfApp({ buildDir, dep, env, log }: StepContext): Promise<string[]> {
  for (const name of ['BP_MAVEN_SETTINGS_PATH', 'MAVEN_SETTINGS_PATH']) {
    const path = env[name] ?? '';
    if (path === '') continue;
    if (await isThere(join(buildDir, path))) return ['-s', path];
    throw new BuildpackFailure(`${name} is ${path}, which is not in the app`, {
      next: 'Name it relative to the app.',
    });
  }
  const url = env['MAVEN_SETTINGS_URL'] ?? '';
  // It may hold passwords, which don't belong in a bundle; without a network there is nobody to show them to.
  if (url !== '' && !isOffline()) {
    if (!URL.canParse(url)) throw new BuildpackFailure(`MAVEN_SETTINGS_URL is "${url}", which is not a URL`);
    await download(url, dep.at('app-settings.xml'), { log, stays: true });
    return ['-s', dep.at('app-settings.xml')];
  }
  return (await isThere(join(buildDir, 'settings.xml'))) ? ['-s', 'settings.xml'] : [];
}
