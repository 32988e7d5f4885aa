/** One app a language without any network: an offline buildpack, the sandbox, the droplet, an answer over HTTP. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SINATRA, vendorDebianGems, writeLock } from '../support/gems.ts';
import { offlineBuildpack } from '../support/offline-buildpack.ts';
import { runDroplet, stageApp } from '../support/staged-app.ts';

let home: DirectoryResult;
beforeAll(async () => {
  home = await tempDir({ unsafeCleanup: true });
});
afterAll(() => home.cleanup());

/** A copy of a fixture, so that a test can add to it. */
function copyOf(app: string): string {
  const copy = join(home.path, app);
  mkdirSync(copy);
  cpSync(join('fixtures/apps', app), copy, { recursive: true });
  return copy;
}

describe('without a network', () => {
  it('go: a vendored service is built and answers', async () => {
    const app = copyOf('go-plain');
    const buildpack = join(home.path, 'go');
    await offlineBuildpack('go', buildpack, ({ version }) => version.startsWith('1.26.'));
    const { droplet, output } = stageApp(home.path, app, '--network', 'none', '-b', buildpack);
    expect(output).toContain('dependencies of vendor/');
    await runDroplet(home.path, droplet, async (url) => {
      expect(await (await fetch(url)).text()).toBe('Hello from vendored go on stager\n');
    });
    // The toolchain is not in it.
    const listed = execFileSync('tar', ['-tzf', droplet], { encoding: 'utf8' });
    expect(listed).toContain('./app/bin/go-plain');
    expect(listed).not.toContain('pkg/tool');
  });

  it('java: a war with JSP is served by Tomcat', async () => {
    const buildpack = join(home.path, 'java');
    await offlineBuildpack('java', buildpack, ({ name, version }) =>
      /^(jre 17|tomcat 10\.1|lib|zlib)/.test(`${name} ${version}`),
    );
    const app = copyOf('java-war');
    const { droplet, output } = stageApp(home.path, app, '--network', 'none', '-b', buildpack);
    expect(output).toContain('The JVM starts from');
    await runDroplet(home.path, droplet, async (url) => {
      expect(await (await fetch(url)).text()).toContain(
        'Hello from war on stager, Apache Tomcat/10, Java 17',
      );
    });
  });

  it('nginx: a site with templates and a module is checked and served', async () => {
    const buildpack = join(home.path, 'nginx');
    await offlineBuildpack('nginx', buildpack, ({ name, version }) =>
      /^(nginx-common|nginx 1\.26.*|libnginx-mod-(stream|http-headers-more-filter) (1\.26|0\.38).*)$/.test(
        name === 'nginx-common' ? name : `${name} ${version}`,
      ),
    );
    const app = copyOf('nginx-site');
    const { droplet } = stageApp(home.path, app, '--network', 'none', '-b', buildpack);
    await runDroplet(home.path, droplet, async (url) => {
      expect(await (await fetch(url)).text()).toBe('Hello from nginx on stager\n');
    });
  });

  it('php: an app with vendored packages answers through nginx and PHP-FPM', async () => {
    const buildpack = join(home.path, 'php');
    // Libraries are inside too, since which of them a stack lacks is only known there.
    await offlineBuildpack('php', buildpack, ({ name, version }) =>
      /^(php 8\.2.*|php8\.2-(cli|common|opcache|curl|mbstring|xml|zip|intl|soap) .*|nginx.*|(lib(zip|xml2|xslt|onig|icu|curl)|zlib).*)$/.test(
        `${name} ${version}`,
      ),
    );
    const app = copyOf('php-composer');
    const { droplet } = stageApp(home.path, app, '--network', 'none', '-b', buildpack);
    await runDroplet(home.path, droplet, async (url) => {
      await expect
        .poll(async () => (await fetch(url)).text(), { timeout: 60_000 })
        .toBe('Hello from php on stager\n');
    });
  });

  it('ruby: Sinatra with vendored gems answers', async () => {
    const buildpack = join(home.path, 'ruby');
    // Without JRuby and its Java, and without the Ruby of a newer C library.
    await offlineBuildpack('ruby', buildpack, ({ name, version }) =>
      /^(ruby 3\.1|(lib)?ruby(3\.1|gems|-)|rake|libyaml|libgmp|libffi|libedit|libncurses)/.test(
        `${name} ${version}`,
      ),
    );
    const app = copyOf('ruby-sinatra');
    writeLock(app, await vendorDebianGems(app, SINATRA), ['sinatra', 'webrick']);
    const { droplet } = stageApp(home.path, app, '--network', 'none', '-b', buildpack);
    await runDroplet(home.path, droplet, async (url) => {
      expect(await (await fetch(url)).text()).toBe('Hello from sinatra on stager\n');
    });
  });

  // The wheel with the runtime is for x64 only.
  it.skipIf(process.arch !== 'x64')('dotnet-core: a published app runs on a shared runtime', async () => {
    const buildpack = join(home.path, 'dotnet-core');
    // The one of PyPI, and Debian's libraries: the others are in dotnet-core.sandbox.test.ts.
    await offlineBuildpack('dotnet-core', buildpack, ({ name, version }) =>
      /^lib|^zlib|^Microsoft\.NETCore\.App 8\.0\.4$/.test(`${name} ${version}`),
    );
    const app = copyOf('dotnet-web');
    const { droplet } = stageApp(home.path, app, '--network', 'none', '-b', buildpack);
    await runDroplet(home.path, droplet, async (url) => {
      expect(await (await fetch(url)).text()).toBe('Hello from .NET on stager\n');
    });
  });

  it('rust: a service with vendored crates is built and answers', async () => {
    const buildpack = join(home.path, 'rust');
    await offlineBuildpack('rust', buildpack, () => true);
    const app = copyOf('rust-plain');
    const { droplet, output } = stageApp(home.path, app, '--network', 'none', '-b', buildpack);
    expect(output).toContain('vendored crates, no network');
    await runDroplet(home.path, droplet, async (url) => {
      expect(await (await fetch(url)).text()).toBe('Hello from vendored rust on stager\n');
    });
    const listed = execFileSync('tar', ['-tzf', droplet], { encoding: 'utf8' });
    expect(listed).toContain('./app/bin/rust-plain');
    expect(listed).not.toMatch(/rustlib|\.rs$|vendor/m);
  });
});
