/** Words of an option that holds several, as a shell would take them apart; nothing is expanded. */
import { BuildpackFailure } from '../../kit/index.ts';

/** @throws BuildpackFailure when a quote is left open. */
export function splitWords(text: string, option: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  let some = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (quote !== '') {
      if (char === quote) quote = '';
      else if (quote === '"' && char === '\\' && /["\\]/.test(text[at + 1] ?? '')) word += text[++at] ?? '';
      else word += char;
    } else if (/\s/.test(char)) {
      if (some) words.push(word);
      word = '';
      some = false;
    } else {
      some = true;
      if (char === '"' || char === "'") quote = char;
      else word += char === '\\' ? (text[++at] ?? '') : char;
    }
  }
  if (quote !== '') throw new BuildpackFailure(`${option} has a ${quote} that is not closed: ${text}`);
  if (some) words.push(word);
  return words;
}
