/** Settings of what is read from and written to image registries. */
import type { Setting } from './setting.ts';

/** How registries are reached. Credentials have none: docker's files, or CNB_REGISTRY_CREDS. */
export const IMAGE_SETTINGS = {
  registryMirrors: {
    group: 'Images:',
    flag: '--registry-mirror <HOST=URL>',
    variable: 'STAGER_REGISTRY_MIRROR',
    kind: 'list',
    help: 'try this address first for images of a registry; repeat for several',
    on: ['stage', 'run', 'image', 'serve', 'worker'],
  },
  insecureRegistries: {
    group: 'Images:',
    flag: '--insecure-registry <host>',
    variable: 'STAGER_INSECURE_REGISTRY',
    kind: 'list',
    help: 'use this registry without TLS, as is done for loopback; repeat for several',
    on: ['stage', 'run', 'image', 'serve', 'worker'],
  },
} as const satisfies Record<string, Setting>;
