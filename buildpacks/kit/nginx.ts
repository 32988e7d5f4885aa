/** nginx of Debian's package, without its folders: `sbin/nginx`, `conf/mime.types`, `lib` with what the stack lacks. */
import { join } from 'node:path';
import { output, succeeds } from './exec.ts';
import { BuildpackFailure } from './failure.ts';
import { demandLibc } from './libc.ts';
import { installLibraries } from './libraries.ts';
import type { Dependency } from './manifest.ts';
import type { StepContext } from './step.ts';

/**
 * Installs it into `target`. Libraries lie beside it and not in deps/<idx>/lib, since no other program is to see them.
 *
 * @throws BuildpackFailure when it does not run on this stack.
 */
export async function installNginx(context: StepContext, nginx: Dependency, target: string): Promise<void> {
  const { dependencies } = context;
  await dependencies.install(nginx, target, {
    executable: ['sbin/nginx'],
    pick: (path) => (/(^|\/)(sbin|bin\/linux-[^/]+)\/nginx$/.test(path) ? 'sbin/nginx' : undefined),
  });
  await dependencies.install(context.choose('nginx-common'), target, {
    pick: (path) => {
      const [, name] = /^etc\/nginx\/(mime\.types|fastcgi_params|fastcgi\.conf)$/.exec(path) ?? [];
      return name === undefined ? undefined : `conf/${name}`;
    },
  });
  const program = join(target, 'sbin/nginx');
  await demandLibc(`nginx ${nginx.version}`, [program]);
  const missing = await installLibraries(context, { from: [program], into: join(target, 'lib') });
  const env = { ...context.env, LD_LIBRARY_PATH: join(target, 'lib') };
  if ((await succeeds([program, '-v'], env)) !== true) {
    const lacks = missing.length === 0 ? '' : `: it lacks ${missing.join(', ')}`;
    throw new BuildpackFailure(
      `nginx does not run on stack ${context.env['CF_STACK'] ?? 'unknown'}${lacks}`,
      {
        next: 'It needs glibc 2.34 or newer (Debian 12, Ubuntu 22.04): choose another stack.',
      },
    );
  }
}

/** What is only known where the site runs: names of other servers, files at their place in the container. */
const LATER = /host not found in upstream|could not be resolved|"\/home\/vcap\//;

/**
 * nginx's own opinion of the configuration, asked through `script --check`, before the site is called staged.
 *
 * @throws BuildpackFailure with nginx's words when nginx would not start.
 */
export async function checkNginx(context: StepContext, script: string, next: string): Promise<void> {
  const { buildDir, depsDir, env, log } = context;
  const asked = await output(['bash', script, '--check'], {
    cwd: buildDir,
    env: { ...env, HOME: buildDir, DEPS_DIR: depsDir, PORT: '8080' },
  });
  if (asked.ok) return;
  const said = asked.stdout
    .trim()
    .replaceAll(`${buildDir}/`, '')
    .replace(/^nginx: configuration file .* test failed$/m, '')
    .trim();
  if (LATER.test(asked.stdout)) {
    log.warning(`nginx can't check its configuration here:\n${said}`);
    return;
  }
  throw new BuildpackFailure(`nginx does not accept the configuration:\n${said}`, { next });
}
