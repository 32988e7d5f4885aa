/** Tomcat for wars: which version, its configuration, and the app in it. */
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BuildpackFailure,
  type Dependency,
  highestMatch,
  isThere,
  readText,
  type StepContext,
  unpack,
  versionsOf,
} from '../../kit/index.ts';
import type { Container } from './container.ts';
import { withJar } from './jar.ts';
import { readJavaSettings } from './settings.ts';
import { rangeOf } from './version.ts';

type War = Extract<Container, { kind: 'tomcat' }>;

/** Up to here is read of an app to see which servlets it uses. */
const ENOUGH = 300;

/** @throws BuildpackFailure when none fits. */
export async function chooseTomcat(
  context: Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose'>,
  dir: string,
  war: War,
): Promise<Dependency> {
  const { env, log, manifest } = context;
  const asked = readJavaSettings(env).JBP_CONFIG_TOMCAT.tomcat?.version;
  if (asked !== undefined) {
    const listed = versionsOf(manifest, 'tomcat', { stack: env['CF_STACK'] ?? '', arch: process.arch });
    let range = rangeOf(asked, 'JBP_CONFIG_TOMCAT');
    const line = `${range.split('.').slice(0, 2).join('.')}.x`;
    if (highestMatch(range, listed) === undefined && highestMatch(line, listed) !== undefined) {
      log.warning(`Tomcat ${asked} is not available; the newest ${line} is used.`);
      range = line;
    }
    const found = context.choose('tomcat', range);
    log.info(`Tomcat ${found.version} (JBP_CONFIG_TOMCAT)`);
    return found;
  }
  const old = await usesJavax(dir, war);
  const found = context.choose('tomcat', old === undefined ? undefined : '9.0.x');
  log.info(`Tomcat ${found.version} (${old === undefined ? 'the default' : `${old} is for javax.servlet`})`);
  return found;
}

/** What shows that the app is older than Jakarta EE 9, which renamed its packages. */
async function usesJavax(dir: string, war: War): Promise<string | undefined> {
  if (war.war === undefined) {
    const xml = await readText(dir, 'WEB-INF/web.xml');
    if (xml !== undefined && isOldXml(xml)) return 'WEB-INF/web.xml';
    const classes = join(dir, 'WEB-INF/classes');
    const entries = await readdir(classes, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const { name, parentPath } of entries
      .filter((entry) => entry.name.endsWith('.class'))
      .slice(0, ENOUGH)) {
      if (isOldClass(await readFile(join(parentPath, name)))) return name;
    }
    return undefined;
  }
  return withJar(join(dir, war.war), war.war, async ({ names, read }) => {
    const xml = await read('WEB-INF/web.xml');
    if (xml !== undefined && isOldXml(xml.toString('utf8'))) return 'WEB-INF/web.xml';
    const classes = names.filter((name) => /^WEB-INF\/classes\/.*\.class$/.test(name));
    for (const name of classes.slice(0, ENOUGH)) {
      if (isOldClass((await read(name)) ?? Buffer.alloc(0))) return name;
    }
    return undefined;
  });
}

const isOldXml = (xml: string): boolean => /https?:\/\/(java\.sun\.com|xmlns\.jcp\.org)\/(xml|dtd)/.test(xml);
const isOldClass = (bytes: Buffer): boolean =>
  bytes.includes('javax/servlet/') && !bytes.includes('jakarta/servlet/');

/** Puts Tomcat below deps/<idx>/tomcat with the app in it, and bin/start-tomcat beside it; the command. */
export async function installTomcat(context: StepContext, tomcat: Dependency, war: War): Promise<string> {
  const { buildDir, dep, dependencies, env, log } = context;
  const home = dep.at('tomcat');
  await dependencies.install(tomcat, home, { strip: 1, only: ['bin', 'conf', 'lib', 'LICENSE', 'NOTICE'] });
  for (const name of await readdir(join(home, 'bin'))) {
    if (!/^(bootstrap|tomcat-juli|commons-daemon)\.jar$/.test(name)) await rm(join(home, 'bin', name));
  }
  for (const name of ['webapps', 'logs', 'temp', 'work']) await mkdir(join(home, name), { recursive: true });
  const settings = readJavaSettings(env).JBP_CONFIG_TOMCAT;
  const path = contextPath(settings.tomcat?.context_path);
  const isLogging = settings.access_logging_support?.access_logging === true;
  await writeFile(join(home, 'conf/server.xml'), serverXml(isLogging));
  await writeFile(join(home, 'conf/logging.properties'), LOGGING);
  const place = join(home, 'webapps', path);
  if (war.war === undefined) {
    // At run time app/ and deps/ lie beside each other.
    await symlink('../../../../app', place);
  } else {
    await unpack(join(buildDir, war.war), place);
    if (!(await isThere(join(place, 'WEB-INF'))))
      log.warning(`${war.war} has no WEB-INF: Tomcat serves its files as they are.`);
  }
  log.info(`The app is served at /${path === 'ROOT' ? '' : path.replaceAll('#', '/')}`);
  const script = dep.at('bin/start-tomcat');
  await mkdir(dep.at('bin'), { recursive: true });
  await writeFile(script, startScript(isLogging));
  await chmod(script, 0o755);
  return 'start-tomcat';
}

/** The access log is opened by its name, /dev/stdout: that has to be a pipe, and some platforms have a socket there. */
const startScript = (isLogging: boolean): string => `#!/usr/bin/env bash
# Starts Tomcat with the options of JAVA_OPTS. Made by the java buildpack.
here=$(cd "$(dirname "$0")/.." && pwd -P)
home=$here/tomcat
exec "$here/bin/java-run" -cp "$home/bin/bootstrap.jar:$home/bin/tomcat-juli.jar" \\
  -Dcatalina.home="$home" -Dcatalina.base="$home" \\
  -Djava.util.logging.config.file="$home/conf/logging.properties" \\
  -Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager \\
  --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED \\
  --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.rmi/sun.rmi.transport=ALL-UNNAMED \\
  -Dhttp.port="\${PORT:-8080}" org.apache.catalina.startup.Bootstrap start${isLogging ? ' > >(exec cat)' : ''}
`;

/** `/first/second` → `first#second`, as Tomcat names folders. */
function contextPath(text: string | undefined): string {
  const path = (text ?? '').replace(/^\/+|\/+$/g, '');
  if (path === '') return 'ROOT';
  if (/^[\w.-]+(\/[\w.-]+)*$/.test(path) && !path.split('/').includes('..')) return path.replaceAll('/', '#');
  throw new BuildpackFailure(`JBP_CONFIG_TOMCAT: context_path is "${text}"`, {
    next: 'Use something like /shop or /shop/v1.',
  });
}

/** One connector at $PORT with HTTP/2; the router's headers say who asks; nothing listens for a word to stop. */
const serverXml = (isLogging: boolean): string => `<?xml version="1.0" encoding="UTF-8"?>
<Server port="-1">
  <Listener className="org.apache.catalina.core.JreMemoryLeakPreventionListener"/>
  <Listener className="org.apache.catalina.core.ThreadLocalLeakPreventionListener"/>
  <Service name="Catalina">
    <Connector port="\${http.port}" bindOnInit="false" connectionTimeout="20000">
      <UpgradeProtocol className="org.apache.coyote.http2.Http2Protocol"/>
    </Connector>
    <Engine name="Catalina" defaultHost="localhost">
      <Valve className="org.apache.catalina.valves.RemoteIpValve" protocolHeader="x-forwarded-proto"/>
${
  isLogging
    ? `      <Valve className="org.apache.catalina.valves.AccessLogValve" directory="/dev" prefix="stdout" suffix="" fileDateFormat=""
             rotatable="false" checkExists="false" buffered="false" pattern="[ACCESS] %{X-Forwarded-For}i %l %t %D %F %B %S vcap_request_id:%{X-Vcap-Request-Id}i &quot;%r&quot; %s"/>
`
    : ''
}      <Host name="localhost" appBase="webapps" autoDeploy="false" failCtxIfServletStartFails="true">
        <Valve className="org.apache.catalina.valves.ErrorReportValve" showReport="false" showServerInfo="false"/>
      </Host>
    </Engine>
  </Service>
</Server>
`;

const LOGGING = `handlers = java.util.logging.ConsoleHandler
.level = INFO
java.util.logging.ConsoleHandler.level = ALL
java.util.logging.ConsoleHandler.formatter = org.apache.juli.OneLineFormatter
java.util.logging.ConsoleHandler.encoding = UTF-8
`;
