/** JSON that came from outside, where text that is not JSON is an answer, not a failure. */

/** What `text` says; undefined when it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
