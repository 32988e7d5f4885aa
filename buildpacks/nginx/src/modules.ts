/** Dynamic modules: the app's own, those that nginx has built in, and Debian's packages. */
import { join } from 'node:path';
import {
  BuildpackFailure,
  type Dependency,
  installLibraries,
  isThere,
  output,
  type StepContext,
} from '../../kit/index.ts';

/**
 * Installs what `{{module "x"}}` asks for. The result says how each is loaded; built-in ones are not.
 *
 * @throws BuildpackFailure listing those that there are.
 */
export async function installModules(
  context: StepContext,
  nginx: Dependency,
  wanted: ReadonlyMap<string, string>,
): Promise<Map<string, string>> {
  const { buildDir, dep, dependencies, env, log } = context;
  const loads = new Map<string, string>();
  if (wanted.size === 0) return loads;
  const home = dep.at('nginx');
  const builtIn = await builtInModules(join(home, 'sbin/nginx'), {
    ...env,
    LD_LIBRARY_PATH: join(home, 'lib'),
  });
  const fresh: string[] = [];
  for (const [name, where] of wanted) {
    if (await isThere(join(buildDir, 'modules', `${name}.so`))) {
      loads.set(name, `load_module {{app}}/modules/${name}.so;`);
      continue;
    }
    loads.set(name, `load_module {{nginx}}/modules/${name}.so;`);
    if (builtIn(name)) {
      log.info(`${name} is built in`);
      loads.set(name, '');
      continue;
    }
    for (const entry of packagesOf(context, nginx, name, where)) {
      await dependencies.install(entry, home, {
        pick: (path) => {
          const file = /^usr\/lib\/nginx\/modules\/([^/]+\.so)$/.exec(path)?.[1];
          return file === undefined ? undefined : `modules/${file}`;
        },
      });
    }
    fresh.push(join(home, 'modules'));
  }
  await installLibraries(context, { from: fresh, into: join(home, 'lib') });
  return loads;
}

/** `ngx_http_image_filter_module` is in libnginx-mod-http-image-filter; Lua's needs another one. */
function packagesOf(context: StepContext, nginx: Dependency, name: string, where: string): Dependency[] {
  const short = name.replace(/^ngx_|_module$/g, '').replaceAll('_', '-');
  const all = context.manifest.dependencies.filter(
    (entry) => entry.name.startsWith('libnginx-mod-') && entry.arch === process.arch,
  );
  const mine = all.filter(({ requires }) => requires?.['nginx'] === nginx.version);
  const found = mine.find((entry) => entry.name === `libnginx-mod-${short}`);
  if (found === undefined) {
    const names = mine.map(
      (entry) => `ngx_${entry.name.slice('libnginx-mod-'.length).replaceAll('-', '_')}_module`,
    );
    throw new BuildpackFailure(
      `${where}: nginx ${nginx.version} has no module ${name}. Available: ${[...new Set(names)].sort().join(', ') || 'none'}`,
      { next: `Name one of these, or put ${name}.so for this version into the folder modules of the app.` },
    );
  }
  const ndk = mine.filter((entry) => entry.name === 'libnginx-mod-http-ndk');
  return short === 'http-lua' ? [...ndk, found] : [found];
}

/** What `nginx -V` says was compiled in. */
async function builtInModules(program: string, env: StepContext['env']): Promise<(name: string) => boolean> {
  const asked = await output(['bash', '-c', '"$1" -V 2>&1', 'nginx', program], { cwd: '/', env });
  const parts = asked.stdout.split(/\s+/);
  return (name) => {
    const short = name.replace(/^ngx_|_module$/g, '');
    return (
      parts.includes(`--with-${short}`) ||
      parts.includes(`--with-${short}_module`) ||
      parts.some(
        (part) =>
          part.startsWith('--add-module=') &&
          part.includes(short.replace(/^http_|_filter$/g, '').replaceAll('_', '-')),
      )
    );
  };
}
