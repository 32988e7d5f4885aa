/** Guids in responses. */
import { z } from 'zod';
import { type Guid, parseGuid } from '../words/ids.ts';

export const guidText = z.string().transform((text, context): Guid => {
  const guid = parseGuid(text);
  if (guid !== undefined) return guid;
  context.addIssue({ code: 'custom', message: 'not a guid' });
  return z.NEVER;
});
