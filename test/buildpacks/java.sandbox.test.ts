/** The java buildpack with real JREs: an app built by Maven, the jar of it as a push unpacks it, a war with JSP on Tomcat, Gradle. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { appendFile, chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { unpack } from '../../buildpacks/kit/extract.ts';
import { withAppFiles } from '../support/app-files.ts';
import { Driver } from '../support/buildpack-driver.ts';
import { jarOf } from '../support/jars.ts';
import { TestAuthority } from '../support/test-authority.ts';

const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const authority = new TestAuthority('java');
afterAll(() => authority.close());

const installed = z.array(z.object({ name: z.string(), uri: z.string() }));
const facts = z.object({
  java: z.number(),
  heapMb: z.number(),
  options: z.array(z.string()),
  greeting: z.string(),
});

const web = (app: Driver): string => app.commands['web'] ?? '';

const STAND_IN = `#!/bin/sh
set -e
echo "stand-in: $*"
mkdir -p build/libs build/classes
"$JAVA_HOME/bin/javac" -d build/classes src/Hello.java
echo 'Main-Class: Hello' >build/lines
"$JAVA_HOME/bin/java" -m jdk.jartool/sun.tools.jar.Main -c -f build/libs/hello.jar -m build/lines -C build/classes .
`;
const HELLO = `import com.sun.net.httpserver.HttpServer;
public class Hello {
  public static void main(String[] args) throws Exception {
    var server = HttpServer.create(new java.net.InetSocketAddress(Integer.parseInt(System.getenv("PORT"))), 0);
    server.createContext("/", exchange -> {
      exchange.sendResponseHeaders(200, 0);
      try (var body = exchange.getResponseBody()) { body.write("Hello from gradle on stager".getBytes()); }
    });
    server.start();
  }
}
`;
const gradleApp = (sum: string) => ({
  'build.gradle': '',
  'src/Hello.java': HELLO,
  'gradle/wrapper/gradle-wrapper.properties': `distributionUrl=https\\://services.gradle.org/distributions/gradle-9.1.0-bin.zip\ndistributionSha256Sum=${sum}\n`,
});

async function body(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** The address of a server that only those who know the test's authority trust. */
async function companyServer(): Promise<{ url: string; close(): void }> {
  const { key, cert } = authority.identity('127.0.0.1');
  const server = createServer({ key, cert }, (_request, response) => response.end('trusted'));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { url: `https://127.0.0.1:${portOf(server)}/`, close: () => server.close() };
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('java buildpack', () => {
  it('builds with Maven, builds nothing when nothing has changed, and runs the jar unpacked as well', async () => {
    await using app = await Driver.of('java-maven');
    const bundle = app.at('bundle.pem');
    await copyFile(BUNDLE, bundle);
    await appendFile(bundle, authority.pem);
    app.env['SSL_CERT_FILE'] = bundle;
    const staged = await app.stage('java');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('(maven.compiler.release of pom.xml)');
    expect(staged.output).toContain('BUILD SUCCESS');
    // For the build only.
    for (const path of ['deps/0/jdk', 'deps/0/maven', 'deps/0/jre/lib/ct.sym', 'app/target/classes']) {
      expect(existsSync(app.at(path)), path).toBe(false);
    }
    const names = installed
      .parse(JSON.parse(readFileSync(app.at('deps/0/installed.json'), 'utf8')))
      .map(({ name }) => name);
    expect(names).toEqual(['jre', 'maven', 'jdk']);

    await app.restart('java-maven');
    const second = await app.stage('java');
    expect(second, second.output).toMatchObject({ code: 0 });
    expect(second.output).toContain('Using Java of the last staging');
    expect(second.output).toContain('Using what the last staging built');
    expect(second.output).toMatch(/512M +20\dM/);
    expect(web(app)).toBe('java-run -jar target/shop-1.0.jar');
    const company = await companyServer();
    const env = { MEMORY_LIMIT: '512m', JAVA_OPTS: '-Dgreeting="$WORDS *"', WORDS: 'a b' };
    const run = await app.launch(
      web(app),
      async (url) => {
        expect(await body(url)).toBe('Hello from java on stager\n');
        const said = facts.parse(JSON.parse(await body(`${url}/facts`)));
        expect(said).toMatchObject({ java: 21, greeting: 'a b *' });
        expect(said.heapMb).toBeGreaterThan(190);
        expect(said.heapMb).toBeLessThan(210);
        expect(await body(`${url}/fetch?${company.url}`)).toBe('trusted');
      },
      env,
    );
    expect(run.output).toContain('NOTE: Picked up JDK_JAVA_OPTIONS');

    await unpack(app.at('app/target/shop-1.0.jar'), app.at('pushed'));
    await using exploded = await Driver.of(app.at('pushed'), { BP_JAVA_VERSION: '25' });
    const again = await exploded.stage('java');
    expect(again, again.output).toMatchObject({ code: 0 });
    expect(web(exploded)).toBe('java-run -cp . org.springframework.boot.loader.launch.JarLauncher');
    // An authority that came after the staging.
    await mkdir(exploded.at('system'));
    await writeFile(exploded.at('system/company.crt'), authority.pem);
    await exploded.launch(
      web(exploded),
      async (url) => {
        expect(facts.partial().parse(JSON.parse(await body(`${url}/facts`)))).toMatchObject({ java: 25 });
        expect(await body(`${url}/fetch?${company.url}`)).toBe('trusted');
      },
      { CF_SYSTEM_CERT_PATH: exploded.at('system') },
    );
    company.close();
  });

  it('serves a war with JSP by Tomcat on the Java of Debian, and builds with the Gradle of a mirror', async () => {
    const options = '{tomcat: {context_path: /shop/v1}, access_logging_support: {access_logging: enabled}}';
    await using app = await Driver.of('java-war', { JBP_CONFIG_TOMCAT: options });
    const staged = await app.stage('java');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toMatch(/Java 17\.\S+ \(nothing asks for one: the default\)/);
    expect(staged.output).toContain('The app is served at /shop/v1');
    expect(web(app)).toBe('start-tomcat');
    expect(staged.output).toMatch(/768M +\d+M +\d+M {2}<- this app/);
    const run = await app.launch(web(app), async (url, said) => {
      expect((await body(`${url}/shop/v1/`)).trim()).toBe(
        'Hello from war on stager, Apache Tomcat/10, Java 17',
      );
      // Tomcat writes it after the answer, and not any more once it was told to end.
      await expect.poll(said, { timeout: 60_000 }).toMatch(/\[ACCESS\] .*"GET \/shop\/v1\/ HTTP\/1\.1" 200/);
    });
    expect(run.code).toBe(143);

    // The same JRE, and a stand-in for Gradle, which no registry has that tests reach.
    const gradle = await jarOf({}, { 'gradle-9.1.0/bin/gradle': STAND_IN });
    const mirror = createPlainServer((request, response) => {
      const isFile = request.url === '/gradle-9.1.0-bin.zip';
      response.writeHead(isFile ? 200 : 404).end(isFile ? gradle : '');
    });
    await new Promise<void>((listening) => mirror.listen(0, '127.0.0.1', listening));
    app.env['STAGER_GRADLE_MIRROR'] = `http://127.0.0.1:${portOf(mirror)}`;
    await withAppFiles(gradleApp(createHash('sha256').update(gradle).digest('hex')), async (dir) => {
      await chmod(dir, 0o755);
      await app.restart(dir);
      const built = await app.stage('java');
      expect(built, built.output).toMatchObject({ code: 0 });
      expect(built.output).toContain('stand-in: --gradle-user-home');
      expect(web(app)).toBe('java-run -jar build/libs/hello.jar');
      await app.launch(web(app), async (url) => {
        expect(await body(url)).toBe('Hello from gradle on stager');
      });
    });
    mirror.close();
  });
});
