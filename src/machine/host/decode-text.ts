/** Text files of people: UTF-16 where they begin with its mark, as PowerShell's `>` writes them, else UTF-8. */

/** The text, without a mark. Bytes that are not of the encoding become replacement characters. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}

function encodingOf([first, second]: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
}
