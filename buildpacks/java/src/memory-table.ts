/** The table of memory in the log: what profile.d will work out, by running it, since there is one formula. */
import { join } from 'node:path';
import { z } from 'zod';
import { output, readYaml, type StepContext } from '../../kit/index.ts';

const SIZES = ['256M', '512M', '768M', '1G', '2G'];
/** Too small for any JVM: the answer says what is needed at least. */
const NOTHING = '1M';

const manifestYml = z.object({
  applications: z
    .array(
      z.object({
        memory: z
          .string()
          .regex(/^\d+[MG]B?$/i)
          .optional(),
      }),
    )
    .min(1),
});

/** How `size` is shared out; empty where the app's own options leave nothing to work out. */
interface Share {
  readonly heap: string | undefined;
  readonly code: string | undefined;
  /** What is needed at least, where `size` is not enough. */
  readonly least: string | undefined;
}

/** Tells heap and code cache of several sizes, that of manifest.yml among them, and the least that the JVM starts with. */
export async function tellMemory(context: StepContext, classes: number): Promise<void> {
  const { buildDir, log } = context;
  const { least } = await shareOf(NOTHING, context);
  if (least === undefined) return log.info('Memory of the JVM: as JAVA_OPTS says');
  const stated = manifestYml.safeParse(await readYaml(join(buildDir, 'manifest.yml')).catch(() => undefined));
  // MEMORY_LIMIT is that of the staging.
  const own = stated.data?.applications[0]?.memory;
  log.step('Memory of the JVM');
  log.info('  memory     heap  code  (metaspace, direct memory and stacks take the rest)');
  for (const size of [...new Set([...(own === undefined ? [] : [own]), ...SIZES])]) {
    const share = await shareOf(size, context);
    const cells = `${(share.heap ?? 'set').padStart(7)} ${(share.code ?? 'set').padStart(5)}`;
    const line = share.least === undefined ? cells : `not enough: at least ${share.least}`;
    log.info(`  ${size.padEnd(8)} ${line}${size === own ? '  <- this app' : ''}`);
  }
  log.info(`The JVM starts from ${least}; ${classes} loaded classes are expected. JAVA_OPTS wins.`);
}

async function shareOf(size: string, { dep, depsDir, env }: StepContext): Promise<Share> {
  const source = '. "$1" 2>&1; printf "%s\\n" "$JDK_JAVA_OPTIONS"';
  const asked = await output(['bash', '-c', source, 'memory', dep.at('profile.d/java.sh')], {
    cwd: '/',
    env: { ...env, DEPS_DIR: depsDir, MEMORY_LIMIT: size, CF_SYSTEM_CERT_PATH: '/nowhere' },
  });
  const megabytes = (option: string): string | undefined => {
    const [, kib] = new RegExp(`${option}(\\d+)K`).exec(asked.stdout) ?? [];
    return kib === undefined ? undefined : `${Math.floor(Number(kib) / 1024)}M`;
  };
  return {
    heap: megabytes('-Xmx'),
    code: megabytes('-XX:ReservedCodeCacheSize='),
    least: /it needs at least (\d+M)/.exec(asked.stdout)?.[1],
  };
}
