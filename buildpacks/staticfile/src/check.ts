/** nginx's own opinion of the configuration, asked before the site is called staged. */
import { join } from 'node:path';
import { BuildpackFailure, output, type StepContext } from '../../kit/index.ts';

/** What is only known where the site runs: names of other servers, files at their place in the container. */
const LATER = /host not found in upstream|could not be resolved|"\/home\/vcap\//;

/** @throws BuildpackFailure with nginx's words when nginx would not start. */
export async function checkConfiguration({ buildDir, depsDir, env, log }: StepContext): Promise<void> {
  const asked = await output(['bash', join(buildDir, 'boot.sh'), '--check'], {
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
  throw new BuildpackFailure(`nginx does not accept the configuration:\n${said}`, {
    next: 'Correct the file that it names: nginx.conf, or what location_include in the Staticfile includes.',
  });
}
