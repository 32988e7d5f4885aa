/** What one of several buildpacks does: all supply, and the last that has the app finalizes too. */
import { z } from 'zod';

/**
 * The name that all buildpacks of this adapter provide, and those that have the app require with their id. The entry is
 * handed on as unmet, so each of them sees the ids in their order, and the last one knows that it is the last.
 */
export const APP_ENTRY = 'stager-app';

/** What a buildpack has to do. */
export interface Role {
  /** Whether its finalize runs. */
  readonly isFinal: boolean;
  /** Whether {@link APP_ENTRY} is for one that comes later. */
  readonly handsOn: boolean;
}

const Plan = z.object({
  entries: z
    .array(z.looseObject({ name: z.string(), metadata: z.record(z.string(), z.unknown()).default({}) }))
    .default([]),
});

/** Reads the role of the buildpack `id` off its build plan. */
export function roleOf(plan: unknown, id: string): Role {
  const wanted = Plan.parse(plan).entries.filter(({ name }) => name === APP_ENTRY);
  const isFinal = wanted.at(-1)?.metadata['buildpack'] === id;
  return { isFinal, handsOn: wanted.length > 0 && !isFinal };
}
