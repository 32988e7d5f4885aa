/** An unpacked distribution: bin/<script> and lib/, as Gradle's application plugin, sbt and Maven's assembly make it. */
import { readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { BuildpackFailure, readText } from '../../kit/index.ts';
import type { Container } from './container.ts';
import { withJar } from './jar.ts';
import { inJar } from './main-class.ts';

/** Scripts for the buildpack, not for the app. */
const HOOKS = ['pre_compile', 'post_compile'];
const PLAY = /^(?:com\.typesafe\.play\.|org\.playframework\.)?play_\d.*\.jar$/;

/** At the top, or in the only folder that has both. */
export async function findDistZip(dir: string, names: readonly string[]): Promise<Container | undefined> {
  for (const at of ['.', ...names]) {
    const libs = (await readdir(join(dir, at, 'lib')).catch(() => [])).filter((name) =>
      name.endsWith('.jar'),
    );
    const files = await readdir(join(dir, at, 'bin'), { withFileTypes: true }).catch(() => []);
    const scripts = files.filter((file) => !file.isDirectory()).map(({ name }) => name);
    const runs = scripts.filter((name) => !/\.(bat|cmd|ps1|exe)$/.test(name) && !HOOKS.includes(name));
    if (libs.length === 0 || runs.length === 0) continue;
    const script = theScript(runs, scripts, names);
    if (script === undefined) return undefined;
    const path = posix.join(at, 'bin', script);
    if (libs.some((name) => PLAY.test(name)) && !names.includes('Procfile')) {
      throw new BuildpackFailure(`${path} starts a Play app, which is not supported without a Procfile`, {
        next: `Add a Procfile: web: ${path} -Dhttp.port=$PORT`,
      });
    }
    const needsJava = await javaOfScript(dir, { at, path, libs });
    return { kind: 'dist-zip', what: path, needsJava, command: path };
  }
  return undefined;
}

/** The one that comes with a .bat is the app's; the others are tools. */
function theScript(
  runs: readonly string[],
  all: readonly string[],
  names: readonly string[],
): string | undefined {
  const paired = runs.filter((name) => all.includes(`${name}.bat`));
  const [first, second] = paired.length > 0 ? paired : runs;
  if (second === undefined) return first;
  if (names.includes('Procfile')) return undefined;
  throw new BuildpackFailure(`bin/ has several scripts: ${(paired.length > 0 ? paired : runs).join(', ')}`, {
    next: `Add a Procfile that names one, such as: web: bin/${first}`,
  });
}

/** The first jar of the class path is the app's own. */
async function javaOfScript(
  dir: string,
  app: { readonly at: string; readonly path: string; readonly libs: readonly string[] },
): Promise<number | undefined> {
  const text = (await readText(dir, app.path)) ?? '';
  const [, named] = /(?:CLASSPATH|app_classpath)=.*?(?:lib\/|lib_dir\/)([\w.+-]+\.jar)/.exec(text) ?? [];
  if (named === undefined || !app.libs.includes(named)) return undefined;
  const path = posix.join(app.at, 'lib', named);
  return withJar(join(dir, path), path, inJar);
}
