/** Which apps the buildpacks for Java, nginx, PHP and Ruby take, and what they say to others. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';

describe('detection', () => {
  it.each<[string, string, number, string]>([
    ['nginx', 'nginx.conf', 0, 'nginx '],
    ['nginx', 'conf/nginx.conf', 1, 'there is conf/nginx.conf'],
    ['nginx', 'x.txt', 1, 'no nginx.conf'],
    ['php', 'composer.json', 0, 'php '],
    ['php', 'htdocs/a.php', 0, 'php '],
    ['php', 'lib/a.php', 1, 'no composer.json'],
    ['java', 'shop.jar', 0, 'java '],
    ['java', 'WEB-INF/web.xml', 0, 'java '],
    ['java', 'shop-1.0/lib/shop.jar', 1, 'no jar, war, WEB-INF'],
    ['java', 'target/shop.jar', 1, 'there is target/shop.jar, but no jar'],
    ['ruby', 'Gemfile', 0, 'ruby '],
    ['rust', 'Cargo.toml', 0, 'rust '],
    ['rust', 'web/Cargo.toml', 1, 'there is web/Cargo.toml'],
    ['rust', 'src/main.rs', 1, 'there is main.rs, but no Cargo.toml'],
    ['dotnet-core', 'web.runtimeconfig.json', 0, 'dotnet-core '],
    ['dotnet-core', 'out/web.runtimeconfig.json', 1, 'there is out/web.runtimeconfig.json'],
    // Without an Sdk it is of .NET Framework.
    ['dotnet-core', 'Shop.csproj', 1, 'no project of .NET'],
    ['ruby', 'config.ru', 1, 'there is config.ru, but no Gemfile'],
  ])('of %s looks at %s', async (buildpack, file, code, says) => {
    await using app = await Driver.of('nginx-site');
    await rm(app.at('app'), { recursive: true });
    await mkdir(dirname(app.at('app', file)), { recursive: true });
    await writeFile(app.at('app', file), '');
    expect(await app.detect(buildpack)).toMatchObject({ code, output: expect.stringContaining(says) });
  });

  it('leaves the start to release where the platform misses launch.yml', async () => {
    await using app = await Driver.of('nginx-site');
    expect((await app.release('nginx')).output).toContain('web: start-nginx');
    expect((await app.release('php')).output).toContain('web: start-php');
    expect((await app.release('ruby')).output).toBe('---\n{}\n');
  });
});
