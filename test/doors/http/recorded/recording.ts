/** What a real client sent, and which fields of the answers it read: the form of the files in this directory. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const JsonType = z.enum(['string', 'number', 'boolean', 'null', 'array', 'object']);

const Part = z.union([
  z.strictObject({ name: z.string(), filename: z.string(), base64: z.string() }),
  z.strictObject({ name: z.string(), text: z.string() }),
]);

const Exchange = z.strictObject({
  method: z.string(),
  /** `${name}` stands for what an earlier answer gave. */
  path: z.string(),
  query: z.array(z.tuple([z.string(), z.string()])).default([]),
  headers: z.array(z.string()),
  contentType: z.string().optional(),
  json: z.unknown().optional(),
  text: z.string().optional(),
  parts: z.array(Part).optional(),
  status: z.number(),
  /** State at which the client stopped to ask. */
  until: z.string().optional(),
  /** Path of a field that the client decodes → its type, as the recorded server answered. */
  reads: z.record(z.string(), JsonType),
  /** Name → where it is: a path in the answer, a claim of the token, the guid or the path in `Location`. */
  captures: z.record(z.string(), z.array(z.string())).default({}),
});

const Recording = z.strictObject({
  client: z.string(),
  commands: z.array(z.strictObject({ command: z.string(), exchanges: z.array(Exchange) })),
});

export type Exchange = z.output<typeof Exchange>;
export type Recording = z.output<typeof Recording>;

/** @throws ZodError for a file that is not a recording. */
export function readRecording(name: string): Recording {
  return Recording.parse(JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')));
}
