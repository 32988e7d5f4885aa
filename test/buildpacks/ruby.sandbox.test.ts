/** The ruby buildpack with Debian's Ruby and vendored gems: Sinatra, and an app in the shape of Rails with assets. */
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';
import { SINATRA, vendorDebianGems, writeGem, writeLock } from '../support/gems.ts';

async function body(url: string): Promise<string> {
  return (await fetch(url)).text();
}

const web = (app: Driver): string => app.commands['web'] ?? '';

describe('ruby buildpack', () => {
  it('serves Sinatra from vendor/cache (rubygems.org is out of reach of these tests), and installs nothing the second time', async () => {
    await using app = await Driver.of('ruby-sinatra');
    writeLock(app.at('app'), await vendorDebianGems(app.at('app'), SINATRA), ['sinatra', 'webrick']);
    const staged = await app.stage('ruby');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('Ruby 3.1.0 (.ruby-version) is not available; the newest 3.1 is taken.');
    expect(staged.output).toMatch(/Bundler [\d.]+ reads the lock that 2\.5\.23 wrote/);
    expect(staged.output).toContain('$ bundle install --local');

    await rm(app.at('deps/0'), { recursive: true });
    const second = await app.stage('ruby');
    expect(second, second.output).toMatchObject({ code: 0 });
    expect(second.output).toContain('Using Ruby and the gems of the last staging');
    expect(second.output).not.toContain('bundle install');
    expect(web(app)).toBe('bundle exec rackup config.ru -o 0.0.0.0 -p $PORT -E $RACK_ENV');
    await app.launch(web(app), async (url) => {
      expect(await body(url)).toBe('Hello from sinatra on stager\n');
      expect(await body(`${url}/runtime`)).toMatch(/^3\.1\.\d+ production \d/);
    });
  });

  it('makes the assets of Rails, keeps secrets out of the droplet, and starts the server', async () => {
    await using app = await Driver.of('ruby-rails');
    const rails = { name: 'railties', version: '7.2.0', needs: { webrick: '~> 1.8' } };
    await writeGem(app.at('app'), rails, { files: 'fixtures/gems/railties' });
    const gems = [rails, ...(await vendorDebianGems(app.at('app'), ['ruby-webrick', 'rake']))];
    writeLock(app.at('app'), gems, ['railties', 'rake']);
    const staged = await app.stage('ruby');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toMatch(/-----> Precompiling assets[\s\S]*made site-\w+\.css for production/);
    expect(readFileSync(app.at('profile.d/0_ruby.sh'), 'utf8')).not.toContain('only-for-assets');
    expect(web(app)).toBe('ruby bin/rails server -b 0.0.0.0 -p $PORT -e $RAILS_ENV');
    const run = await app.launch(web(app), async (url) => {
      expect(await body(`${url}/hello`)).toMatch(
        /^Hello from rails on stager, production, 128, site-\w+\.css\n$/,
      );
    });
    expect(run.code, run.output).toBe(0);
    expect(run.output).toContain('SECRET_KEY_BASE is not set: one is made up for this instance');

    // Sources as before: the assets are those of the last staging.
    for (const path of ['app/public', 'deps/0']) await rm(app.at(path), { recursive: true });
    const second = await app.stage('ruby');
    expect(second.output).toContain('Using the assets of the last staging');
    expect(second.output).not.toContain('made site-');
  });

  it('serves Sinatra on JRuby, with a Java and a heap of its own', async () => {
    await using app = await Driver.of('ruby-sinatra');
    writeLock(app.at('app'), await vendorDebianGems(app.at('app'), SINATRA), ['sinatra', 'webrick']);
    await writeFile(app.at('app/.ruby-version'), 'jruby-9.4.15.0\n');
    const staged = await app.stage('ruby');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toContain('Heap of JRuby: 512M: 307M');
    const run = await app.launch(
      web(app),
      async (url) => {
        expect(await body(url)).toBe('Hello from sinatra on stager\n');
        expect(await body(`${url}/runtime`)).toMatch(/^3\.1\.\d+ production \d/);
      },
      { MEMORY_LIMIT: '512M' },
    );
    expect(run.output).not.toContain('rror');
  });
});
