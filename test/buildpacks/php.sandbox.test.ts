/** The php buildpack with Debian's PHP: vendored packages, Composer itself, nginx and httpd in front of PHP-FPM. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';

async function body(url: string): Promise<string> {
  return (await fetch(url)).text();
}

describe('php buildpack', () => {
  it('serves an app with vendored packages and extensions, and installs nothing the second time', async () => {
    await using app = await Driver.of('php-composer');
    const staged = await app.stage('php');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toMatch(/PHP 8\.2\.\d+ \(composer\.json and its packages\)/);
    expect(staged.output).toContain('Using vendor/: it has all packages of composer.lock');
    expect(staged.output).not.toContain('Installing composer');
    expect(staged.output).toContain('512M: 4');
    expect(readFileSync(app.at('deps/0/launch.yml'), 'utf8')).toContain('start-php');

    await rm(app.at('deps/0'), { recursive: true });
    const second = await app.stage('php');
    expect(second, second.output).toMatchObject({ code: 0 });
    expect(second.output).toContain('Using PHP of the last staging');
    expect(second.output).not.toContain('Installing php');
    expect(readFileSync(app.at('deps/0/installed.json'), 'utf8')).toContain('php8.2-intl');
    const run = await app.launch('start-php', async (url) => {
      await expect.poll(() => body(url), { timeout: 60_000 }).toBe('Hello from php on stager\n');
      expect(await body(`${url}/runtime?a=b`)).toMatch(/^8\.2\.\d+ stager .*\bintl\b.*\bsoap\b/);
      expect(await body(`${url}/site.css`)).toBe('body { color: teal }\n');
      expect((await fetch(`${url}/.htaccess`)).status).toBe(404);
    });
    expect(run.code, run.output).toBe(0);
    expect(run.output.match(/asked for the runtime/g)).toHaveLength(1);
  });

  it('runs Composer where vendor/ lacks packages, and httpd with .htaccess', async () => {
    await using app = await Driver.of('php-composer', { WEB_SERVER: 'httpd' });
    await rm(app.at('app/vendor'), { recursive: true });
    await writeFile(app.at('app/public/.htaccess'), 'RewriteEngine On\nRewriteRule ^pretty$ index.php [L]\n');
    await mkdir(app.at('app/bin'));
    await writeFile(
      app.at('app/bin/post_compile'),
      'php -r "echo Greeting(), PHP_EOL; function Greeting() { return PHP_MAJOR_VERSION; }"\n',
    );
    const staged = await app.stage('php');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('Installing stager/greeting (1.2.0)');
    expect(staged.output).toContain('-----> Running bin/post_compile\n8\n');
    expect(existsSync(app.at('deps/0/composer'))).toBe(false);
    const run = await app.launch('start-php', async (url) => {
      await expect.poll(() => body(url), { timeout: 60_000 }).toBe('Hello from php on stager\n');
      expect(await body(`${url}/pretty`)).toBe('Hello from php on stager\n');
      expect((await fetch(`${url}/.htaccess`)).status).toBe(403);
    });
    expect(run.code, run.output).toBe(0);
  });
});
