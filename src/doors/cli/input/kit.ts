/** The kit for buildpacks, as the build exports it. */
import { join } from 'node:path';
import { OWN_ROOT } from '../../../machine/host/own-package.ts';

/** Its directory. */
export const KIT = join(OWN_ROOT, 'dist/kit');
