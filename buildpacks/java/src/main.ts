/** The java buildpack: supply installs the JRE, finalize builds, brings Tomcat, and says how the app starts. */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BuildpackFailure,
  type Dependency,
  installOnce,
  runHook,
  runSteps,
  type StepContext,
  tellOptions,
} from '../../kit/index.ts';
import { readAuthorities } from './authorities.ts';
import { buildFromSource } from './build.ts';
import { type Container, findContainer } from './container.ts';
import { chooseGradle } from './gradle.ts';
import { jdkOf } from './jdk.ts';
import { installJre } from './jre.ts';
import { chooseMaven } from './maven.ts';
import { OPTIONS_OF_OTHERS } from './options.ts';
import { readPom } from './pom.ts';
import { writeRunTime } from './run-time.ts';
import { tellIgnoredOptions } from './settings.ts';
import { chooseTomcat, installTomcat } from './tomcat.ts';
import { chooseJava, javaWish } from './version.ts';

async function supply(context: StepContext): Promise<void> {
  const { buildDir, dep, dependencies, env, log } = context;
  await tellOptions(context, OPTIONS_OF_OTHERS);
  tellIgnoredOptions(env, log);
  await runHook('pre_compile', context);
  const container = await containerFor(context);
  if (container.kind === 'maven') await readPom(buildDir, container.pom);
  const tool = context.isLast ? await buildTool(context, container) : undefined;
  log.step('Installing Java');
  const jre = chooseJava(context, await javaWish(buildDir, container, env), container);
  const authorities = await readAuthorities(env);
  await installOnce(context, { name: 'Java', facts: [jre.uri, authorities] }, () =>
    installJre(context, jre, authorities),
  );
  await dep.writeConfig({ name: 'java', version: context.version, config: { JavaVersion: jre.version } });
  await dep.writeEnv('JAVA_HOME', dep.at('jre'));
  // Those that finalize will want stay in the cache, and are on the list of what was installed.
  for (const later of await laterDependencies(context, { container, jre, tool })) dependencies.use(later);
  if (!context.isLast) {
    await runHook('post_compile', { ...context, env: javaEnv(context) });
    await writeRunTime(context);
  }
}

/** When others build and start the app, there need not be anything of Java in it. */
async function containerFor(context: StepContext): Promise<Container> {
  try {
    return await findContainer(context.buildDir, context.env);
  } catch (error) {
    if (context.isLast || !(error instanceof BuildpackFailure)) throw error;
    return { kind: 'own', what: 'another buildpack' };
  }
}

/** Refused before anything is installed where there is none. */
async function buildTool(context: StepContext, container: Container): Promise<Dependency | undefined> {
  if (container.kind === 'maven') return await chooseMaven(context);
  return container.kind === 'gradle' ? await chooseGradle(context) : undefined;
}

async function laterDependencies(
  context: StepContext,
  plan: { readonly container: Container; readonly jre: Dependency; readonly tool: Dependency | undefined },
): Promise<Dependency[]> {
  const { container, jre, tool } = plan;
  if (!context.isLast) return [];
  if (container.kind === 'tomcat') return [await chooseTomcat(context, context.buildDir, container)];
  if (tool === undefined) return [];
  const jdk = jdkOf(context, Number.parseInt(jre.version, 10));
  return [tool, ...(jdk === undefined ? [] : [jdk])];
}

async function finalize(context: StepContext): Promise<void> {
  const { buildDir, dep, env, log } = context;
  Object.assign(env, javaEnv(context));
  let container = await findContainer(buildDir, env);
  if (container.kind === 'maven' || container.kind === 'gradle') {
    container = await buildFromSource(context, container);
  }
  log.step(`Preparing ${container.what} (${KINDS[container.kind]})`);
  const command = await commandOf(context, container);
  await runHook('post_compile', context);
  await writeRunTime(context);
  await dep.writeLaunch(
    command === undefined
      ? []
      : [
          { type: 'web', command },
          { type: 'task', command },
        ],
  );
  if (command !== undefined) log.info(`web: ${command} (a Procfile wins)`);
}

const KINDS: Readonly<Record<Container['kind'], string>> = {
  'spring-boot': 'Spring Boot',
  'java-main': 'main class',
  'dist-zip': 'distribution with a start script',
  tomcat: 'Tomcat',
  maven: 'Maven',
  gradle: 'Gradle',
  own: 'started by its own command',
};

/** For builds and hooks: the JRE of supply. */
function javaEnv({ dep, env }: StepContext): Record<string, string | undefined> {
  return { ...env, JAVA_HOME: dep.at('jre'), PATH: `${dep.at('bin')}:${env['PATH'] ?? ''}` };
}

async function commandOf(context: StepContext, container: Container): Promise<string | undefined> {
  const { buildDir } = context;
  if (container.kind === 'tomcat') {
    return await installTomcat(context, await chooseTomcat(context, buildDir, container), container);
  }
  if (container.kind === 'dist-zip') await chmod(join(buildDir, container.what), 0o755);
  return 'command' in container ? container.command : undefined;
}

void runSteps({ supply, finalize });
