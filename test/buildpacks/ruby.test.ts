import { describe, expect, it } from 'vitest';
import { createLog } from '../../buildpacks/kit/log.ts';
import { defaultRange, loadManifest, resolve } from '../../buildpacks/kit/manifest.ts';
import { demandPlatform, missingGems } from '../../buildpacks/ruby/src/bundle.ts';
import { chooseJRuby } from '../../buildpacks/ruby/src/jruby.ts';
import { parseLock, readRubyApp, rubyLine } from '../../buildpacks/ruby/src/lock.ts';
import { startProcesses } from '../../buildpacks/ruby/src/rails.ts';
import { chooseRuby, fromRequirements, rubyWish } from '../../buildpacks/ruby/src/version.ts';
import { type AppFiles, withAppFiles } from '../support/app-files.ts';

const manifest = await loadManifest('buildpacks/ruby');

/** As on Debian 12, whatever this machine is. */
const FIT = { stack: 'host', arch: process.arch, with: { glibc: '2.36.0' } };

/** What supply and finalize read before they install or run anything. */
async function read(files: AppFiles, env: Record<string, string> = {}): Promise<string> {
  return await withAppFiles(files, async (path) => {
    const lines: string[] = [];
    const log = createLog((line) => lines.push(line));
    const app = await readRubyApp(path, env);
    const choose = (name: string, range?: string) =>
      resolve(manifest, name, range ?? defaultRange(manifest, name), FIT);
    const context = { manifest, env: { CF_STACK: 'host', ...env }, log, choose };
    const wish = await rubyWish(path, app);
    const { engine } = wish;
    const ruby = engine === 'jruby' ? await chooseJRuby(context, wish) : chooseRuby(context, wish, FIT);
    if (app.lock !== undefined) demandPlatform(app.lock, app.lockFile, engine);
    const missing = await missingGems(path, app, engine);
    const [web] = await startProcesses(path, app);
    return [ruby.version, ...lines, `missing ${missing?.join()}`, `web ${web?.command}`].join(' | ');
  });
}

/** The one that the manifest has of the line 9.4. */
const [, JRUBY = ''] =
  /jruby-dist:(9\.4[\d.]+):/.exec(manifest.dependencies.map(({ uri }) => uri).join(' ')) ?? [];
const MACHINE = process.arch === 'arm64' ? 'aarch64-linux' : 'x86_64-linux';
const lock = (gems: readonly string[], more = '', platforms = ['ruby']) =>
  `GEM\n  remote: https://rubygems.org/\n  specs:\n${gems.map((gem) => `    ${gem}\n`).join('')}\nPLATFORMS\n${platforms
    .map((name) => `  ${name}\n`)
    .join('')}\nDEPENDENCIES\n  rack\n${more}`;
const app = (gemfile: string, more: AppFiles = {}): AppFiles => ({ Gemfile: gemfile, ...more });
const locked = (gems: readonly string[], more: AppFiles = {}): AppFiles =>
  app('', { 'Gemfile.lock': lock(gems), ...more });

describe('the version of Ruby', () => {
  it.each<[string, AppFiles, RegExp]>([
    ['nothing', app("gem 'rack'\n"), /^3\.1\.\d+ .*nothing asks for one/],
    ['the Gemfile', app('ruby "~> 3.1.0"\n'), /^3\.1\.\d+ .*\(Gemfile\)/],
    ['two requirements', app("ruby '>= 3.0', '< 3.3'\n"), /^3\.1\./],
    [
      'a file that the Gemfile names',
      app("ruby file: '.tool'\n", { '.tool': '3.1\r\n' }),
      /^3\.1\..*\(\.tool, by Gemfile\)/,
    ],
    [
      'the lock',
      app('', { 'Gemfile.lock': lock([], '\nRUBY VERSION\n   ruby 3.1.4p223\n') }),
      /^3\.1\..*WARNING.*3\.1\.4 \(Gemfile\.lock\) is not available/,
    ],
    [
      '.ruby-version',
      app('', { '.ruby-version': '\uFEFF# ours\r\nruby-3.1\r\n' }),
      /^3\.1\..*\(\.ruby-version\)/,
    ],
    [
      'JRuby by its own version',
      app(`ruby '3.1.7', engine: 'jruby', engine_version: '${JRUBY}'\n`),
      /^9\.4\.\d+ .*JRuby 9\.4\..*\(Gemfile\)/,
    ],
    ['JRuby by that of Ruby', app("ruby '~> 3.4.0', :engine => 'jruby'\n"), /^10\.0\.\d+ .*3\.4 \(Gemfile\)/],
    ['JRuby without a version', app("ruby engine: 'jruby'\n"), /^10\./],
    [
      'JRuby in .ruby-version',
      app('', { '.ruby-version': `jruby-${JRUBY}\n` }),
      /^9\.4\.\d+ .*\(\.ruby-version\)/,
    ],
    [
      'JRuby in the lock',
      app('', { 'Gemfile.lock': lock([], `\nRUBY VERSION\n   ruby 3.1.7p0 (jruby ${JRUBY})\n`, ['java']) }),
      /^9\.4\.\d+ .*\(Gemfile\.lock\)/,
    ],
  ])('comes from %s', async (_what, files, expected) => {
    expect(await read(files)).toMatch(expected);
  });

  it("has RubyGems' requirements", () => {
    for (const [text, range] of [
      ['~> 3.1', '^3.1'],
      ['~> 3.1.2', '~3.1.2'],
      ['3.1.2', '3.1.2'],
      ['3.1', '3.1.x'],
      ['>= 3.0', '>=3.0'],
      ['= 3.1.2', '3.1.2'],
    ] as const) {
      expect(fromRequirements([text], 'x')).toBe(range);
    }
    expect(rubyLine("source 'x'\n  ruby '3.1.2', patchlevel: '20'\n")).toEqual({ requirements: ['3.1.2'] });
    expect(rubyLine("# ruby '2'\ngem 'ruby-x', '1'")).toBeUndefined();
  });
});

describe('an app of Ruby', () => {
  it('is read from its lock', () => {
    const parsed = parseLock(
      `PATH\n  remote: lib/x\n  specs:\n    x (1)\n\n${lock(['rack (2.2.8)', 'nokogiri (1.16.0-x86_64-linux)'], '\nBUNDLED WITH\n   2.5.1\n')}`,
      'x',
    );
    expect(parsed).toMatchObject({
      gems: [
        { name: 'rack', version: '2.2.8' },
        { name: 'nokogiri', version: '1.16.0-x86_64-linux' },
      ],
      others: [{ kind: 'PATH', remote: 'lib/x' }],
      bundler: '2.5.1',
    });
  });

  it('is told what vendor/cache lacks, of gems for this machine', async () => {
    const gems = [
      'rack (2.2.8)',
      'tilt (2.0)',
      `nokogiri (1.16.0-${MACHINE})`,
      'nokogiri (1.16.0-arm64-darwin)',
    ];
    const files = locked(gems, { 'vendor/cache/rack-2.2.8.gem': '' });
    expect(await read(files)).toContain(`missing tilt-2.0,nokogiri-1.16.0-${MACHINE} |`);
    expect(await read(locked(gems))).toContain('missing undefined');
    const both = locked(
      ['rack (2.2.8)', 'nokogiri (1.16.0)', 'nokogiri (1.16.0-java)', `nokogiri (1.16.0-${MACHINE})`],
      {
        ...{ Gemfile: "ruby engine: 'jruby'", 'vendor/cache/rack-2.2.8.gem': '' },
      },
    );
    expect(await read(both)).toContain('missing nokogiri-1.16.0-java |');
  });

  it.each<[string, AppFiles, string]>([
    [
      'Rails',
      locked(['railties (7.1)', 'puma (6)'], { 'bin/rails': '' }),
      'ruby bin/rails server -b 0.0.0.0',
    ],
    [
      'Puma with its configuration',
      locked(['puma (6)', 'rack (2)'], { 'config/puma.rb': '', 'config.ru': '' }),
      'puma -C config/puma.rb',
    ],
    ['Puma', locked(['puma (6)', 'rack (2)'], { 'config.ru': '' }), 'puma -b tcp://0.0.0.0:$PORT'],
    ['Rack', locked(['rack (2)'], { 'config.ru': '' }), 'rackup config.ru -o 0.0.0.0 -p $PORT'],
    ['plain Sinatra', locked(['sinatra (3)'], { 'app.rb': '' }), 'ruby app.rb -o 0.0.0.0 -p $PORT'],
    ['nothing known', locked(['rake (13)']), 'web undefined'],
  ])('of %s has its start command', async (_what, files, expected) => {
    expect(await read(files)).toContain(expected);
  });

  it.each<[string, AppFiles, string, Record<string, string>?]>([
    ['no Gemfile', { 'app.rb': '' }, 'there is no Gemfile'],
    [
      'a Gemfile that is not where it should be',
      app(''),
      'there is no config/Gemfile',
      { BUNDLE_GEMFILE: 'config/Gemfile' },
    ],
    [
      'a Gemfile outside',
      app(''),
      'BUNDLE_GEMFILE is ../Gemfile, which is outside',
      { BUNDLE_GEMFILE: '../Gemfile' },
    ],
    [
      'a version that there is not',
      app("ruby '~> 3.9.0'"),
      'no ruby version matches "~3.9.0". Available: 3.1.',
    ],
    ['Ruby 2', app("ruby '2.7.8'"), 'no ruby version matches "2.7.8"'],
    ['a patch that Bundler would refuse', app("ruby '3.1.0'"), 'no Ruby 3.1.0 (Gemfile). Available: 3.1.'],
    ['a Ruby that only JRuby is', app("ruby '~> 3.4.0'"), 'no Ruby ~3.4.0 (Gemfile). Available: 3.1.'],
    ['another engine', app("ruby '3.3.5', engine: 'truffleruby'"), 'Gemfile asks for truffleruby'],
    [
      'half a version of JRuby',
      app("ruby '3.1.4', engine: 'jruby', engine_version: '9.4'"),
      'there is no JRuby 9.4. Available: 10.1.',
    ],
    ['a Ruby that no JRuby is', app("ruby '2.5.8', engine: 'jruby'"), 'no JRuby is Ruby 2.5.8 (Gemfile)'],
    ['half of it in a file', app('', { '.ruby-version': 'jruby-9.4.5' }), '.ruby-version says "jruby-9.4.5"'],
    [
      'a lock without JRuby',
      app("ruby engine: 'jruby'", { 'Gemfile.lock': lock([], '', [MACHINE]) }),
      `is for ${MACHINE}, not for java`,
    ],
    ['a requirement that is none', app("ruby 'newest'"), 'Gemfile asks for Ruby "newest"'],
    [
      'a file that is not there',
      app("ruby file: '.tool'"),
      "reads Ruby's version from .tool, which says nothing",
    ],
    [
      'an empty file of the version',
      app("ruby file: '.ruby-version'", { '.ruby-version': '\n# x\n' }),
      'which says nothing',
    ],
    [
      'words for a version',
      app('', { '.ruby-version': 'three point one' }),
      '.ruby-version says "three point one"',
    ],
    [
      'a lock for macOS only',
      app('', { 'Gemfile.lock': lock([], '', ['arm64-darwin-23']) }),
      `is for arm64-darwin-23, not for ${MACHINE}`,
    ],
    [
      'a lock for Windows',
      app('', { 'Gemfile.lock': lock([], '', ['x64-mingw-ucrt']).replaceAll('\n', '\r\n') }),
      'is for x64-mingw-ucrt',
    ],
    ['an empty lock', app('', { 'Gemfile.lock': '' }), 'Gemfile.lock is not a lock of Bundler'],
    [
      'a lock of another tool',
      app('', { 'Gemfile.lock': '{"lockfileVersion": 3}' }),
      'it begins with "{"lockfileVersion"',
    ],
    ['a cut lock', app('', { 'Gemfile.lock': 'GEM\n  remote: x\n' }), 'it has no PLATFORMS and DEPENDENCIES'],
    [
      'a lock without platforms',
      app('', { 'Gemfile.lock': 'GEM\n\nPLATFORMS\n\nDEPENDENCIES\n' }),
      'is for no platform',
    ],
    [
      'conflicts in the lock',
      app('', { 'Gemfile.lock': `<<<<<<< HEAD\n${lock([])}` }),
      'Gemfile.lock has unresolved merge conflicts',
    ],
    ['conflicts in the Gemfile', app("<<<<<<< HEAD\nruby '3.1'\n"), 'Gemfile has unresolved merge conflicts'],
    ['a folder for the Gemfile', { 'Gemfile/x': '' }, 'Gemfile is a directory'],
    ['a folder for the lock', app('', { 'Gemfile.lock/x': '' }), 'Gemfile.lock is a directory'],
  ])('with %s is refused in a sentence', async (_what, files, message, env) => {
    const failure = await read(files, env).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'BuildpackFailure', message: expect.stringContaining(message) });
    expect(String(failure)).not.toContain('Invalid input');
  });
});
