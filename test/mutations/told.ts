/** What stager says of a failure, read from what it writes. */
import { z } from 'zod';
import { parseJson } from '../../src/words/json.ts';

export const Told = z.looseObject({
  code: z.union([z.string(), z.number()]),
  message: z.string().optional(),
  detail: z.string().optional(),
  next: z.string().optional(),
  details: z.looseObject({ path: z.string().optional() }).optional(),
});

/** What a program said of its failure. */
export class ToldFailure extends Error {
  readonly told: {
    readonly code: string;
    readonly message: string;
    readonly next?: string;
    readonly path?: string;
  };

  constructor(told: z.infer<typeof Told> = { code: 'UNEXPECTED' }) {
    const { code, message = '', detail = message, details } = told;
    super(detail);
    // An error of the v3 API has its advice in its text.
    const next = told.next ?? (typeof code === 'number' ? detail : undefined);
    const path = details?.path;
    this.told = {
      code: String(code),
      message: detail,
      ...(next !== undefined && { next }),
      ...(path !== undefined && { path }),
    };
  }
}

/** The error event among lines of JSON. */
export function failureOf(said: string): ToldFailure | undefined {
  for (const line of said.split('\n')) {
    const found = z.looseObject({ type: z.literal('error'), error: Told }).safeParse(parseJson(line)).data;
    if (found !== undefined) return new ToldFailure(found.error);
  }
  return undefined;
}
