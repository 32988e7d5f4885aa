/** The failure for a source with nothing left to stage. */
import { StagerError } from '../../words/errors.ts';
import type { Summary } from './summary.ts';

/** SOURCE_EMPTY with the reason: empty, or everything ignored and by which rule. */
export function emptySource(description: string, summary: Summary): StagerError {
  const [hint] = summary.hints(description, 'directory');
  return new StagerError('SOURCE_EMPTY', hint ?? `${description} is empty.`, {
    next:
      summary.ignored > 0
        ? 'Change .cfignore; `stager files --explain PATH` shows which line decides.'
        : 'Name the directory or archive that contains the app.',
    details: { path: description, ignored: summary.ignored },
  });
}
