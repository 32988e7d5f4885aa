/** JBP_CONFIG_*: YAML in variables, as the options of Cloud Foundry's buildpack are given. */
import { parse } from 'yaml';
import { z } from 'zod';
import { BuildpackFailure, type Env, type Log, reasonOf } from '../../kit/index.ts';
import { wrongShapes } from '../../kit/shape.ts';

const word = z.union([z.string(), z.number()]).transform(String);
const yes = z.union([z.boolean(), z.stringbool()]);
const count = z.coerce.number<number | string>().int().nonnegative();

const jre = z.object({
  jre: z.object({ version: word.optional() }).optional(),
  memory_calculator: z
    .object({
      headroom: count.max(90).optional(),
      stack_threads: count.optional(),
      class_count: count.optional(),
    })
    .optional(),
});
const schemas = {
  JBP_CONFIG_OPEN_JDK_JRE: jre,
  JBP_CONFIG_JAVA_MAIN: z.object({
    java_main_class: z.string().optional(),
    arguments: z.union([z.string(), z.array(word).transform((all) => all.join(' '))]).optional(),
  }),
  JBP_CONFIG_JAVA_OPTS: z.object({
    from_environment: yes.optional(),
    java_opts: z.union([z.array(word), z.string().transform((text) => [text])]).optional(),
  }),
  JBP_CONFIG_TOMCAT: z.object({
    tomcat: z
      .object({
        version: word.optional(),
        context_path: z.string().optional(),
        external_configuration_enabled: yes.optional(),
      })
      .optional(),
    access_logging_support: z
      .object({
        access_logging: z
          .union([
            yes,
            z.literal('enabled').transform(() => true),
            z.literal('disabled').transform(() => false),
          ])
          .optional(),
      })
      .optional(),
  }),
  JBP_CONFIG_DEBUG: z.object({ enabled: yes.optional(), port: count.optional(), suspend: yes.optional() }),
  JBP_CONFIG_JMX: z.object({ enabled: yes.optional(), port: count.optional() }),
} as const;

/** All of them, as far as this buildpack knows them; those that are not set are empty. */
export type JavaSettings = { readonly [Name in keyof typeof schemas]: z.infer<(typeof schemas)[Name]> };

/** What becomes of options that nothing here reads. */
const IGNORED: Readonly<Record<string, string>> = {
  COMPONENTS: 'there is one kind of JRE',
  SAP_MACHINE_JRE: 'there is one kind of JRE; BP_JAVA_VERSION names the version',
  ZULU_JRE: 'there is one kind of JRE; BP_JAVA_VERSION names the version',
  SPRING_AUTO_RECONFIGURATION: 'add java-cfenv to the app',
  JAVA_CF_ENV: 'add java-cfenv to the app',
  CONTAINER_SECURITY_PROVIDER: "the JVM's own trust store has the platform's authorities",
  CLIENT_CERTIFICATE_MAPPER: 'read the header X-Forwarded-Client-Cert in the app',
  POSTGRESQL_JDBC: 'add the driver to the app',
  MARIA_DB_JDBC: 'add the driver to the app',
  JVMKILL: 'the JVM ends when its memory does (-XX:+ExitOnOutOfMemoryError)',
};

/** @throws BuildpackFailure naming the variable that is not of its form. */
export function readJavaSettings(env: Env): JavaSettings {
  const read = <T>(name: string, schema: z.ZodType<T>): T => {
    const value = yamlIn(name, env[name]);
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new BuildpackFailure(
      `${name} is not valid:\n${wrongShapes(parsed.error, value, name).join('\n')}`,
      {
        next: FORMS,
      },
    );
  };
  return {
    JBP_CONFIG_OPEN_JDK_JRE: read('JBP_CONFIG_OPEN_JDK_JRE', schemas.JBP_CONFIG_OPEN_JDK_JRE),
    JBP_CONFIG_JAVA_MAIN: read('JBP_CONFIG_JAVA_MAIN', schemas.JBP_CONFIG_JAVA_MAIN),
    JBP_CONFIG_JAVA_OPTS: read('JBP_CONFIG_JAVA_OPTS', schemas.JBP_CONFIG_JAVA_OPTS),
    JBP_CONFIG_TOMCAT: read('JBP_CONFIG_TOMCAT', schemas.JBP_CONFIG_TOMCAT),
    JBP_CONFIG_DEBUG: read('JBP_CONFIG_DEBUG', schemas.JBP_CONFIG_DEBUG),
    JBP_CONFIG_JMX: read('JBP_CONFIG_JMX', schemas.JBP_CONFIG_JMX),
  };
}

const FORMS =
  "Each is YAML, such as JBP_CONFIG_OPEN_JDK_JRE='{jre: {version: 21.+}}'; docs/languages/java.md lists them.";

/** Older documents show a list of maps: its parts are put together. */
function yamlIn(name: string, text: string | undefined): unknown {
  let value: unknown;
  try {
    value = parse(text ?? '');
  } catch (error) {
    throw new BuildpackFailure(`${name} is not valid YAML: ${reasonOf(error)}`, {
      cause: error,
      next: FORMS,
    });
  }
  if (value === null || value === undefined) return {};
  const list = z.array(z.record(z.string(), z.unknown())).safeParse(value);
  return list.success ? Object.assign({}, ...list.data) : value;
}

/** Options of other families that have no effect here. */
const OTHERS: Readonly<Record<string, string>> = {
  BP_MAVEN_DAEMON_ENABLED: 'Maven itself runs',
  BPL_JVM_CLASS_ADJUSTMENT: 'BPL_JVM_LOADED_CLASS_COUNT states the number of classes',
  BP_JVM_TYPE: 'the app runs on a JRE, and builds get a compiler',
  BP_JVM_JLINK_ENABLED: 'the JRE is used as it is',
  BP_JVM_CDS_ENABLED: 'the JVM uses its own archive of classes',
};

/** A line in the log for each option of the environment that has no effect. */
export function tellIgnoredOptions(env: Env, log: Log): void {
  for (const name of Object.keys(env).sort()) {
    const other = OTHERS[name];
    if (other !== undefined && env[name] !== 'false') log.warning(`${name} is ignored: ${other}.`);
    const [, option] = /^JBP_(?:CONFIG|DEFAULT)_(.+)$/.exec(name) ?? [];
    if (option === undefined || name in schemas) continue;
    const why =
      IGNORED[option] ??
      (/(_JRE|_AGENT)$/.test(option) ? 'it is not available here' : 'this buildpack does not know it');
    log.warning(`${name} is ignored: ${why}.`);
  }
  const tomcat = readJavaSettings(env).JBP_CONFIG_TOMCAT.tomcat;
  if (tomcat?.external_configuration_enabled === true) {
    log.warning(
      'JBP_CONFIG_TOMCAT: external_configuration is ignored. Put context.xml into META-INF of the app.',
    );
  }
}
