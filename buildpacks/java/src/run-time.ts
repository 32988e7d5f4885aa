/** What is there at run time: profile.d with options and memory, and java-run. */
import { chmod, copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepContext } from '../../kit/index.ts';
import { classesIn } from './jar.ts';
import { tellMemory } from './memory-table.ts';
import { readJavaSettings } from './settings.ts';

/** Classes of the JDK's own modules, of which a third is loaded, as of the app's. */
const CLASSES_OF_JDK = 42_215;
const LOADED = 0.35;

/** Writes profile.d/java.sh and bin/java-run. */
export async function writeRunTime(context: StepContext): Promise<void> {
  const { buildDir, buildpackDir, dep, env } = context;
  const settings = readJavaSettings(env);
  const {
    headroom = 0,
    stack_threads,
    class_count,
  } = settings.JBP_CONFIG_OPEN_JDK_JRE.memory_calculator ?? {};
  const { from_environment = true, java_opts = [] } = settings.JBP_CONFIG_JAVA_OPTS;
  const [debug, jmx] = [settings.JBP_CONFIG_DEBUG, settings.JBP_CONFIG_JMX];
  const tomcat = await classesIn(dep.at('tomcat/lib')).catch(() => 0);
  const counted = CLASSES_OF_JDK + tomcat + (await classesIn(buildDir));
  const values = {
    IDX: dep.idx,
    FROM_ENVIRONMENT: from_environment,
    LIST_OPTS: quoted(java_opts.map((option) => `${option} `).join('')),
    DEBUG: debug.enabled === true,
    DEBUG_PORT: debug.port ?? 8000,
    DEBUG_SUSPEND: debug.suspend === true,
    JMX: jmx.enabled === true,
    JMX_PORT: jmx.port ?? 5000,
    HEADROOM: headroom,
    THREADS: stack_threads ?? '',
    CLASSES: class_count ?? Math.ceil(counted * LOADED),
  };
  let script = await readFile(join(buildpackDir, 'profile/java.sh'), 'utf8');
  for (const [name, value] of Object.entries(values))
    script = script.replaceAll(`@${name}@`, () => `${value}`);
  await dep.writeProfile('java.sh', script);
  await mkdir(dep.at('bin'), { recursive: true });
  await copyFile(join(buildpackDir, 'profile/java-run'), dep.at('bin/java-run'));
  await chmod(dep.at('bin/java-run'), 0o755);
  await tellMemory(context, values.CLASSES);
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
