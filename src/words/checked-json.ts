/**
 * Small files of JSON that end with the sha256 of the rest: what is read is what was written, or it is not read. A file
 * with neither a checksum nor the mark is of before there were any.
 */

import { z } from 'zod';
import { sha256OfBytes } from './digest.ts';
import { parseJson } from './json.ts';

/** Stands in the file, so that one without a checksum is not taken for an old one. */
const MARK = 'recordVersion';
const VERSION = 2;

const fileSchema = z.looseObject({ checksum: z.string().optional() });

/** The text of a file. */
export function checkedJson(content: object): string {
  const body = { [MARK]: VERSION, ...content };
  return `${JSON.stringify({ ...body, checksum: checksumOf(body) }, undefined, 2)}\n`;
}

/** What {@link checkedJson} was given, or an older file's document; undefined when it is not what was written. */
export function readCheckedJson(text: string): unknown {
  const parsed = fileSchema.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { checksum, ...body } = parsed.data;
  const isOld = checksum === undefined && !Object.hasOwn(body, MARK);
  return isOld || checksum === checksumOf(body) ? body : undefined;
}

/** Keys come back from JSON in the order in which they were written. */
function checksumOf(body: object): string {
  return sha256OfBytes(JSON.stringify(body));
}
