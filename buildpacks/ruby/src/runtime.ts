/** Ruby below deps/<idx>/ruby: Debian's packages with their /usr, and what tells Ruby where it is now. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BuildpackFailure,
  type Dependency,
  demandLibc,
  installLibraries,
  librariesOnly,
  output,
  type StepContext,
} from '../../kit/index.ts';

const TRIPLET = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';

/** @throws BuildpackFailure when it does not run on this stack. */
export async function installRuby(context: StepContext, ruby: Dependency): Promise<void> {
  const { dep, dependencies } = context;
  const home = dep.at('ruby');
  const options = {
    pick: (path: string) =>
      /^usr\/(bin|lib|include|share\/rubygems-integration)\//.test(path)
        ? path.slice('usr/'.length)
        : undefined,
  };
  await dependencies.install(ruby, home, options);
  await dependencies.installAll(context.chooseGroup('ruby', { ruby: ruby.version }), home, options);
  const line = ruby.version.replace(/\.\d+$/, '');
  const program = join(home, 'bin', `ruby${line}`);
  await demandLibc(`Ruby ${ruby.version}`, [program]);
  const libraries = join(home, 'lib', TRIPLET);
  const missing = await installLibraries(context, { from: [program, libraries], into: libraries });
  await writeWrappers(context, line);
  await installOpenssl(context, ruby, libraries);
  const lacks = missing.length === 0 ? '' : `: it lacks ${missing.join(', ')}`;
  await demandRuns(context, `Ruby ${ruby.version}`, lacks);
}

/** What Bundler is there, so that nobody has to start Ruby to ask. */
export const BUNDLER_VERSION = 'bundler-version';

/** @throws BuildpackFailure when what was installed does not start on this stack, with what it needs. */
export async function demandRuns(context: StepContext, name: string, lacks: string): Promise<void> {
  const { dep, env } = context;
  const check =
    'require "openssl"; require "yaml"; require "zlib"; require "bundler"; print Bundler::VERSION';
  const asked = await output([dep.at('bin/ruby'), '-e', check], { cwd: '/', env: rubyEnv(context) });
  if (asked.ok) return await writeFile(dep.at(BUNDLER_VERSION), asked.stdout.trim());
  throw new BuildpackFailure(`${name} does not run on stack ${env['CF_STACK'] ?? 'unknown'}${lacks}`, {
    next: 'See its output above. It needs glibc 2.34 or newer (Debian 12, Ubuntu 22.04).',
  });
}

/** A Ruby that was built with a later OpenSSL than the stack has brings its own: the names of the files are the same. */
async function installOpenssl(context: StepContext, ruby: Dependency, into: string): Promise<void> {
  const { dep, dependencies } = context;
  const own = context.chooseGroup('openssl', { ruby: ruby.version });
  if (own.length === 0) return;
  const argv = ['sh', '-c', 'exec "$0" -ropenssl -e "" 2> /dev/null', dep.at('bin/ruby')] as const;
  if ((await output(argv, { cwd: '/', env: rubyEnv(context) })).ok) return;
  await dependencies.installAll(own, into, { pick: librariesOnly });
}

/** Programs that first say where Ruby's own files are: it was compiled for /usr. */
async function writeWrappers({ dep }: StepContext, line: string): Promise<void> {
  const script = (start: string) => `#!/bin/sh
here=$(cd "$(dirname "$0")/../ruby" && pwd -P)
lib=$here/lib/ruby machine=$here/lib/${TRIPLET}
case "\${LD_LIBRARY_PATH:-}" in
  "$machine"*) ;;
  *) export LD_LIBRARY_PATH="$machine\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" ;;
esac
own=$lib/vendor_ruby/${line}.0:$machine/ruby/vendor_ruby/${line}.0:$lib/vendor_ruby:$lib/${line}.0:$machine/ruby/${line}.0
case "\${RUBYLIB:-}" in
  *"$own"*) ;;
  *) export RUBYLIB="\${RUBYLIB:+$RUBYLIB:}$own" ;;
esac
gems=$here/share/rubygems-integration/all:$lib/gems/${line}.0
case "\${GEM_PATH:-}" in
  *"$gems"*) ;;
  *) export GEM_PATH="\${GEM_PATH:+$GEM_PATH:}$gems" ;;
esac
exec "$here/bin/ruby${line}" ${start}"$@"
`;
  const names = {
    ruby: '',
    bundle: `bundle${line}`,
    rake: `rake${line}`,
    gem: `gem${line}`,
    irb: `irb${line}`,
  };
  await dep.linkBin('bundler', dep.at('bin/bundle'));
  for (const [name, program] of Object.entries(names)) {
    const start = program === '' ? '' : `"$here/bin/${program}" `;
    await writeFile(dep.at('bin', name), script(start), { mode: 0o755 });
  }
}

/** For every run of Ruby while staging. */
export function rubyEnv({ dep, env }: Pick<StepContext, 'dep' | 'env'>): Record<string, string | undefined> {
  // JRuby starts sooner without its compiler, and every command here is a start.
  const JRUBY_OPTS = env['JRUBY_OPTS'] ?? '--dev';
  return { ...env, JRUBY_OPTS, PATH: `${dep.at('bin')}:${env['PATH'] ?? ''}` };
}
