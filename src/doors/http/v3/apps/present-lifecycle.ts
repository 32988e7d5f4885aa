/** The lifecycle of an app or a build as Cloud Foundry shows it: of an image there is nothing to say. */
import { z } from 'zod';
import type { LifecycleType } from '../../../../service/state/schema-apps.ts';
import { redactUrls } from '../../../../staging/logs/redact.ts';

export const LifecycleAnswer = z.object({
  type: z.string(),
  data: z.object({
    buildpacks: z.array(z.string()).optional(),
    stack: z.string().nullable().optional(),
    credentials: z.string().optional(),
  }),
});

/** Nobody is shown the credentials. */
export function presentLifecycle(
  type: LifecycleType,
  of: {
    readonly buildpacks: readonly string[];
    readonly stack: string | null;
    readonly registry_credentials: object | null;
  },
): z.input<typeof LifecycleAnswer> {
  if (type === 'docker') return { type, data: {} };
  const { buildpacks, stack, registry_credentials: credentials } = of;
  const hidden = credentials === null ? {} : { credentials: '***' };
  return { type, data: { buildpacks: buildpacks.map(redactUrls), stack, ...hidden } };
}
