import type { Context } from './context.ts';

/** The image that a person named instead of a source or a droplet. */
export function namedImageOf({ flags }: Context): string | undefined {
  const image = flags['image'] ?? flags['dockerImage'];
  return typeof image === 'string' ? image : undefined;
}
