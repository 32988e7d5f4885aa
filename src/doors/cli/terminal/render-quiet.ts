/** `--quiet`: nothing but errors. A script that fails says why in its own last lines, so those come before its error. */
import { stripVTControlCharacters } from 'node:util';
import type { BuildEvent } from '../../../words/events.ts';
import type { Output } from './output.ts';
import type { Renderer } from './render.ts';

/** Enough for a compiler's error; a line may have no end. */
const MAX_LINES = 20;
const MAX_CHARACTERS = 4096;

/** See the top of the file. */
export function quietRenderer(output: Output): Renderer {
  const lines: string[] = [];
  let open = false;
  const keep = ({ text, partial }: Extract<BuildEvent, { type: 'output' }>): void => {
    const before = open ? (lines.pop() ?? '') : '';
    lines.push(`${before}${text}`.slice(0, MAX_CHARACTERS));
    if (lines.length > MAX_LINES) lines.shift();
    open = partial === true;
  };
  return {
    show: (event) => {
      if (event.type === 'output') keep(event);
      if (event.type === 'phase-ended' && event.outcome === 'failed')
        for (const line of lines) output.note(output.colour ? line : stripVTControlCharacters(line));
      if (event.type !== 'phase-started' && event.type !== 'phase-ended') return;
      lines.length = 0;
      open = false;
    },
    clear: () => {},
  };
}
