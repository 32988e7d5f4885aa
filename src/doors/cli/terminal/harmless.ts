/**
 * Text that others chose (names in an archive, commands of a buildpack, what a server answered) for a person's
 * terminal, which must not take it for control sequences. What scripts write live is theirs and stays as it is.
 */

/**
 * Control characters but line feed and tab as `\x1b`. A line that a name brought along is indented, so that it can't pass
 * for one of ours; a path without end is cut.
 */
export function harmless(text: string): string {
  return shortened(text.replace(/[^\P{Cc}\n\t]/gu, escaped)).replace(/\n(?! {2})/g, '\n  ');
}

/** Longest word that is shown whole; longer ones lose their middle. */
const MAX_WORD = 1024;
const LONG_WORD = new RegExp(`\\S{${MAX_WORD + 1},}`, 'g');

function shortened(text: string): string {
  return text.replace(LONG_WORD, (word) => `${word.slice(0, MAX_WORD / 2)}…${word.slice(-MAX_WORD / 4)}`);
}

/** All control characters so, line feeds as well: for one cell or one line. */
export function oneLine(text: string): string {
  return shortened(text.replace(/\p{Cc}/gu, escaped));
}

function escaped(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
