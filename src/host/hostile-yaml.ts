/**
 * Parses YAML that a script, a buildpack or a droplet brought.
 *
 * A document of a megabyte that is nothing but quotes, anchors or opening brackets keeps the parser busy for many
 * minutes, and it is synchronous: no signal would be heard meanwhile. So it has a time after which V8 ends it.
 */
import { runInNewContext } from 'node:vm';
import { type Document, parseDocument } from 'yaml';
import { z } from 'zod';

/** The largest honest document (a buildpack's manifest of 500 KiB) takes a tenth of this. */
const LIMIT_MS = 10_000;

const timedOut = z.object({ code: z.literal('ERR_SCRIPT_EXECUTION_TIMEOUT') });

/** A document without errors, or what is wrong with it, for people. */
export type HostileYaml =
  | { readonly ok: true; readonly document: Document; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

/** Parses `text`, and makes plain data of it; aliases are bounded by the parser. Never throws. */
export function parseHostileYaml(text: string, limitMs = LIMIT_MS): HostileYaml {
  try {
    return runInNewContext('read()', { read: () => read(text) }, { timeout: limitMs });
  } catch (error) {
    // An error of the other context, so it is no Error of ours.
    if (timedOut.safeParse(error).success) {
      return { ok: false, reason: `it can't be parsed within ${limitMs} ms` };
    }
    return { ok: false, reason: firstLine(error instanceof Error ? error.message : String(error)) };
  }
}

function read(text: string): HostileYaml {
  // Pretty errors quote the text for every one of possibly thousands.
  const document = parseDocument(text, {
    uniqueKeys: false,
    merge: true,
    logLevel: 'silent',
    prettyErrors: false,
  });
  const [problem] = document.errors;
  if (problem === undefined) return { ok: true, document, value: document.toJS() };
  const before = text.slice(0, problem.pos[0]).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  return { ok: false, reason: `${firstLine(problem.message)} at line ${before.length}, column ${column}` };
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').replace(/:$/, '');
}
