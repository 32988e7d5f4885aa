/** Parses TOML from buildpacks, which may contain anything. */
import { parse } from 'smol-toml';

/** The document, or why it is none. */
export function parseToml(
  text: string,
): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string } {
  try {
    return { ok: true, value: parse(text) };
  } catch (error) {
    return {
      ok: false,
      reason: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error),
    };
  }
}
