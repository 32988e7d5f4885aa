/** Reads a process's identity out of a file. Apart, since programs that only write some start without a parser. */
import { z } from 'zod';
import type { ProcessIdentity } from './process-identity.ts';

export const processIdentitySchema = z.object({
  pid: z.int().positive(),
  startTime: z.string(),
  bootId: z.string(),
  pidNamespace: z.string(),
  host: z.string(),
}) satisfies z.ZodType<ProcessIdentity>;
