/**
 * Text that others chose (names in an archive, commands of a buildpack, what a server answered) for a person's
 * terminal, which must not take it for control sequences. What scripts write live is theirs and stays as it is.
 */

/** Control characters but line feed and tab as `\x1b`. */
export function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, escaped);
}

/** All control characters so, line feeds as well: for one cell or one line. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, escaped);
}

function escaped(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
