/** The lifecycle of an app or a build as Cloud Foundry shows it: of an image there is nothing to say. */
import { z } from 'zod';
import type { LifecycleType } from '../../../../service/state/schema-apps.ts';

export const LifecycleAnswer = z.object({
  type: z.string(),
  data: z.object({
    buildpacks: z.array(z.string()).optional(),
    stack: z.string().nullable().optional(),
  }),
});

export function presentLifecycle(
  type: LifecycleType,
  { buildpacks, stack }: { readonly buildpacks: readonly string[]; readonly stack: string | null },
): z.input<typeof LifecycleAnswer> {
  return { type, data: type === 'docker' ? {} : { buildpacks: [...buildpacks], stack } };
}
