/** Parses JSON from outside; text that is not JSON is a normal result, not a failure. */

/** What `text` says; undefined when it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
