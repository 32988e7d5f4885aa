/** Events of a staging as a server sends them: they are JSON of another process, and of another version perhaps. */
import { z } from 'zod';
import { CODES, type Code } from '../words/errors.ts';
import type { BuildEvent } from '../words/events.ts';
import { phaseSchema, recordSchema, resultSchema } from '../words/staging-record-schema.ts';

const at = z.string();
const phase = phaseSchema;
const code = z.string().transform((text): Code => (isCode(text) ? text : 'UNEXPECTED'));
const error = z.object({
  code,
  blame: z.enum(['app', 'buildpack', 'operator', 'stager']),
  message: z.string(),
  next: z.string().exactOptional(),
  phase: z.string().exactOptional(),
  details: z.record(z.string(), z.unknown()),
  exit: z.number(),
});

/** What is known and of the right shape; progress is never sent. */
export const buildEventSchema: z.ZodType<BuildEvent> = z.union([
  z.object({
    type: z.literal('staging-started'),
    at,
    build: recordSchema.shape.build,
    source: z.string(),
    stack: z.string(),
    sandbox: z.string(),
  }),
  z.object({ type: z.literal('phase-started'), at, phase }),
  z.object({
    type: z.literal('phase-ended'),
    at,
    phase,
    outcome: z.enum(['done', 'skipped', 'failed']),
    durationMs: z.number(),
    note: z.string().exactOptional(),
  }),
  z.object({
    type: z.literal('output'),
    at,
    phase,
    stream: z.enum(['stdout', 'stderr']),
    text: z.string(),
    partial: z.boolean().exactOptional(),
  }),
  z.object({
    type: z.literal('warning'),
    at,
    code: z.string(),
    message: z.string(),
    phase: phase.exactOptional(),
  }),
  z.object({
    type: z.literal('staging-ended'),
    at,
    outcome: z.literal('staged'),
    record: recordSchema,
  }),
  z.object({
    type: z.literal('staging-ended'),
    at,
    outcome: z.enum(['failed', 'cancelled']),
    error,
    result: resultSchema.exactOptional(),
  }),
]);

function isCode(text: string): text is Code {
  return Object.hasOwn(CODES, text);
}
