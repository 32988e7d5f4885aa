/** What is there at run time: profile.d with options and memory, java-run, and the table of memory in the log. */
import { chmod, copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { output, type StepContext } from '../../kit/index.ts';
import { classesIn } from './jar.ts';
import { readJavaSettings } from './settings.ts';

/** Classes of the JDK's own modules, of which a third is loaded, as of the app's. */
const CLASSES_OF_JDK = 42_215;
const LOADED = 0.35;
const SIZES = ['256M', '512M', '768M', '1G', '2G'];

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

/** What profile.d will work out, by running it: there is one formula. */
async function tellMemory(context: StepContext, classes: number): Promise<void> {
  const { dep, depsDir, env, log } = context;
  const own = env['MEMORY_LIMIT'] ?? '';
  log.step('Memory of the JVM');
  log.info('  memory     heap  code  (metaspace, direct memory and stacks take the rest)');
  for (const size of [...new Set([...(own === '' ? [] : [own]), ...SIZES])]) {
    const asked = await output(
      [
        'bash',
        '-c',
        '. "$1" 2>&1; printf "%s\\n" "$JDK_JAVA_OPTIONS"',
        'memory',
        dep.at('profile.d/java.sh'),
      ],
      {
        cwd: '/',
        env: {
          ...env,
          DEPS_DIR: depsDir,
          MEMORY_LIMIT: size,
          CF_SYSTEM_CERT_PATH: '/nowhere',
          PORT: undefined,
        },
      },
    );
    const megabytes = (option: string): string | undefined => {
      const [, kib] = new RegExp(`${option}(\\d+)K`).exec(asked.stdout) ?? [];
      return kib === undefined ? undefined : `${Math.floor(Number(kib) / 1024)}M`;
    };
    const [, least] = /it needs at least (\d+M)/.exec(asked.stdout) ?? [];
    const heap = megabytes('-Xmx') ?? (least === undefined ? 'set' : undefined);
    const line =
      heap === undefined
        ? `not enough: at least ${least}`
        : `${heap.padStart(7)} ${(megabytes('-XX:ReservedCodeCacheSize=') ?? 'set').padStart(5)}`;
    log.info(`  ${size.padEnd(8)} ${line}${size === own ? '  <- this app' : ''}`);
  }
  const smallest = await output(['bash', '-c', '. "$1" 2>&1', 'memory', dep.at('profile.d/java.sh')], {
    cwd: '/',
    env: { ...env, DEPS_DIR: depsDir, MEMORY_LIMIT: '1M', CF_SYSTEM_CERT_PATH: '/nowhere' },
  });
  const [, least = 'unknown'] = /it needs at least (\d+M)/.exec(smallest.stdout) ?? [];
  log.info(
    `The JVM starts from ${least}; ${classes} loaded classes are expected. Options of JAVA_OPTS are left as they are.`,
  );
}
