/** Parameters of paths. */
import { z } from 'zod';
import { type Guid, parseGuid } from '../../../words/ids.ts';

/** Names nothing: what is not a guid can't be the guid of anything. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

function guidOf(text: string, context: z.RefinementCtx): Guid {
  const guid = parseGuid(text.toLowerCase()) ?? parseGuid(NOBODY);
  if (guid !== undefined) return guid;
  context.addIssue('is not a guid');
  return z.NEVER;
}

/** A guid in a path or a body: what is not one is treated like one that names nothing, so that it is not found. */
export const GuidText = z.string().max(200).transform(guidOf);

/** `/…/:guid`. */
export const ByGuid = z.object({ guid: GuidText });

/** `{"data":{"guid"}}` in a request. */
export const ToOneInput = z.strictObject({ data: z.strictObject({ guid: GuidText }) });
