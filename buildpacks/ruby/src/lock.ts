/** Gemfile.lock, and what of a Gemfile can be read without running it. */
import { dirname, join } from 'node:path';
import { BuildpackFailure, type Env, readText } from '../../kit/index.ts';

/** One locked gem. */
export interface LockedGem {
  readonly name: string;
  /** With its platform: `1.16.0-x86_64-linux`. */
  readonly version: string;
}

/** Gemfile.lock. */
export interface Lock {
  readonly gems: readonly LockedGem[];
  readonly platforms: readonly string[];
  /** `3.1.2` of `ruby 3.1.2p20`. */
  readonly ruby: string | undefined;
  /** `9.4.5.0` of `ruby 3.1.4p0 (jruby 9.4.5.0)`. */
  readonly jruby?: string | undefined;
  readonly bundler: string | undefined;
  /** Gems in folders of the app, or from git. */
  readonly others: readonly { readonly kind: 'PATH' | 'GIT'; readonly remote: string }[];
}

/** What an app says about Ruby. */
export interface RubyApp {
  /** Relative to the app. */
  readonly gemfile: string;
  readonly lockFile: string;
  readonly text: string;
  readonly lock: Lock | undefined;
}

/** @throws BuildpackFailure when there is no Gemfile, or its lock can't be read. */
export async function readRubyApp(dir: string, env: Env): Promise<RubyApp> {
  const gemfile = env['BUNDLE_GEMFILE'] ?? 'Gemfile';
  if (gemfile.startsWith('/') || gemfile.split('/').includes('..')) {
    throw new BuildpackFailure(`BUNDLE_GEMFILE is ${gemfile}, which is outside the app`, {
      next: 'Name a file of the app, such as config/Gemfile.',
    });
  }
  const text = await readText(dir, gemfile);
  if (text === undefined) {
    throw new BuildpackFailure(`there is no ${gemfile}`, { next: 'Add one that names the gems of the app.' });
  }
  const lockFile = `${gemfile}.lock`;
  const locked = await readText(dir, lockFile);
  return { gemfile, lockFile, text, lock: locked === undefined ? undefined : parseLock(locked, lockFile) };
}

/** @throws BuildpackFailure when it is not a Bundler lock file. */
export function parseLock(text: string, file: string): Lock {
  const sections = new Map<string, string[]>();
  const others: { kind: 'PATH' | 'GIT'; remote: string }[] = [];
  let name = '';
  for (const line of text.split('\n')) {
    if (/^[A-Z][A-Z ]*$/.test(line)) {
      name = line;
      sections.set(name, sections.get(name) ?? []);
    } else if (line.trim() !== '') {
      if (name === '') throw notALock(file, line);
      sections.get(name)?.push(line);
      const [, remote] = /^ {2}remote: (.+)$/.exec(line) ?? [];
      if ((name === 'PATH' || name === 'GIT') && remote !== undefined) others.push({ kind: name, remote });
    }
  }
  if (!sections.has('DEPENDENCIES') || !sections.has('PLATFORMS')) throw notALock(file, undefined);
  const gems = (sections.get('GEM') ?? []).flatMap((line) => {
    const [, gem, version] = /^ {4}([\w.-]+) \(([^)]+)\)$/.exec(line) ?? [];
    return gem === undefined || version === undefined ? [] : [{ name: gem, version }];
  });
  const only = (section: string) => sections.get(section)?.[0]?.trim();
  return {
    gems,
    platforms: (sections.get('PLATFORMS') ?? []).map((line) => line.trim()),
    ruby: /^ruby (\d+\.\d+\.\d+)/.exec(only('RUBY VERSION') ?? '')?.[1],
    jruby: /\(jruby ([\d.]+)\)/.exec(only('RUBY VERSION') ?? '')?.[1],
    bundler: only('BUNDLED WITH'),
    others,
  };
}

function notALock(file: string, line: string | undefined): BuildpackFailure {
  const what =
    line === undefined ? 'has no PLATFORMS and DEPENDENCIES' : `begins with "${line.slice(0, 40)}"`;
  return new BuildpackFailure(`${file} is not a lock of Bundler: it ${what}`, {
    next: 'Run bundle lock and commit the file.',
  });
}

/** The `ruby` line of a Gemfile. */
export interface RubyLine {
  readonly requirements: readonly string[];
  readonly file?: string;
  readonly engine?: string;
  readonly engineVersion?: string;
}

/** Requirements, `file:`, an engine; undefined when there is no such line. */
export function rubyLine(text: string): RubyLine | undefined {
  const [, line] = /^[ \t]*ruby[ \t(]+([^#\n]+)/m.exec(text) ?? [];
  if (line === undefined) return undefined;
  const named = (key: string) =>
    new RegExp(`${key}:\\s*['"]([^'"]+)['"]|:${key}\\s*=>\\s*['"]([^'"]+)['"]`).exec(line);
  const value = (key: string) =>
    named(key)
      ?.slice(1)
      .find((one) => one !== undefined);
  const [file, engine, engineVersion] = [value('file'), value('engine'), value('engine_version')];
  const rest = line.replace(/(:?\w+:|:\w+\s*=>)\s*['"][^'"]*['"]/g, '');
  const requirements = [...rest.matchAll(/['"]([^'"]+)['"]/g)].map(([, one = '']) => one);
  return {
    requirements,
    ...(file !== undefined && { file }),
    ...(engine !== undefined && { engine }),
    ...(engineVersion !== undefined && { engineVersion }),
  };
}

/**
 * Gems that plain lines of the Gemfile name and the lock lacks. What depends on a condition or a platform, or may be in a
 * folder or git, is left to Bundler.
 */
export function missingGemsOfLock({ text, lock }: RubyApp): string[] {
  if (lock === undefined || lock.others.length > 0) return [];
  const named = [...text.matchAll(/^[ \t]*gem[ \t(]+['"]([\w.-]+)['"]([^\n]*)$/gm)]
    .filter(([, , rest = '']) => !/\b(if|unless|platforms?|install_if|path|git|github)\b/.test(rest))
    .map(([, name = '']) => name);
  const conditional = /^[ \t]*(if|unless|platforms?|install_if|path|git)\b/m.test(text);
  return conditional ? [] : named.filter((name) => !lock.gems.some((gem) => gem.name === name));
}

/** Whether the lock has a gem. */
export function has(app: RubyApp, ...names: readonly string[]): boolean {
  return app.lock?.gems.some(({ name }) => names.includes(name)) === true;
}

/** The folder of the Gemfile. */
export function homeOf(dir: string, app: RubyApp): string {
  return join(dir, dirname(app.gemfile));
}
