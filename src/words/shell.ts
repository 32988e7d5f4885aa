/** Words of a POSIX shell. */

/** `text` as one word, always in quotes. */
export const quotedWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** `text` as one word, in quotes where it needs them. */
export function shellQuote(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : quotedWord(text);
}
