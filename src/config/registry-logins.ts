/** Where credentials for image registries come from. They have no flag, since others can see command lines. */
import { userInfo } from 'node:os';
import { join } from 'node:path';

/** The variables, and the usual files of docker and podman in the order in which they are asked. */
export function registryLogins(env: Readonly<Record<string, string | undefined>>) {
  const docker = env['DOCKER_CONFIG'] || join(env['HOME'] || userInfo().homedir, '.docker');
  const runtime = env['XDG_RUNTIME_DIR'];
  return {
    ...(env['CNB_REGISTRY_CREDS'] && { given: env['CNB_REGISTRY_CREDS'] }),
    ...(env['CF_DOCKER_PASSWORD'] && { dockerPassword: env['CF_DOCKER_PASSWORD'] }),
    files: [
      join(docker, 'config.json'),
      ...(env['REGISTRY_AUTH_FILE'] ? [env['REGISTRY_AUTH_FILE']] : []),
      ...(runtime ? [join(runtime, 'containers', 'auth.json')] : []),
    ],
  };
}
