/** The one live line at the bottom of a terminal. On anything else it does nothing. */

import type { BuildEvent } from '../../../words/events.ts';
import { formatBytes } from '../../../words/units.ts';
import type { Output } from './output.ts';

/** Shows what is going on until something real is printed. */
export interface StatusLine {
  show(text: string): void;
  progress(text: string, event: Extract<BuildEvent, { type: 'progress' }>): void;
  clear(): void;
}

const SILENT: StatusLine = { show: () => {}, progress: () => {}, clear: () => {} };

/** A status line, or a silent one when stdout is not a terminal. */
export async function createStatusLine(output: Output): Promise<StatusLine> {
  if (!output.live) return SILENT;
  const { default: logUpdate } = await import('log-update');
  return {
    show: (text) => logUpdate(`… ${text}`),
    progress: (text, event) => logUpdate(`… ${text}: ${amount(event)}`),
    clear: () => logUpdate.clear(),
  };
}

function amount({ done, total, unit }: Extract<BuildEvent, { type: 'progress' }>): string {
  const show = (value: number): string => (unit === 'bytes' ? formatBytes(value) : `${value} files`);
  if (total === undefined || total === 0) return show(done);
  return `${show(done)} of ${show(total)} (${Math.floor((done / total) * 100)}%)`;
}
