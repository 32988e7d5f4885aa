/** The one quota of organizations: it limits nothing, and is the same in every installation. */
import { parseGuid } from '../../../../words/ids.ts';

export const DEFAULT_QUOTA = parseGuid('00000000-0000-4000-8000-00000000de0a') ?? '';
