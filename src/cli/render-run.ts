/** RunEvents → lines for people (as `cf logs` prefixes them), or one JSON object a line. */
import { stripVTControlCharacters } from 'node:util';
import { createColors } from 'picocolors';
import { logPrefix, type RunEvent } from '../launch/events.ts';
import { formatDuration } from '../units.ts';
import type { Output } from './output.ts';

/** Shows the events of one run. A task's output is passed on bare, so that it can be piped. */
export function runRenderer(output: Output, { task }: { readonly task: boolean }): (event: RunEvent) => void {
  if (output.json) return (event) => output.object(event);
  const colours = createColors(output.colour);
  const open = new Map<string, boolean>();
  const note = (text: string): void => {
    if (!output.quiet) output.note(text);
  };
  return (event) => {
    switch (event.type) {
      case 'run-started':
        if (!task) note(`${colours.bold('==>')} ${event.source.id}: ${event.command}`);
        break;
      case 'log': {
        const key = `${event.source.id}/${event.source.index}/${event.stream}`;
        const prefix = task || open.get(key) === true ? '' : `${colours.dim(logPrefix(event.source))} `;
        // A task's output may be data; a log is for reading.
        const text = task || output.colour ? event.text : stripVTControlCharacters(event.text);
        output.raw(event.stream, `${prefix}${text}${event.partial === true ? '' : '\n'}`);
        open.set(key, event.partial === true);
        break;
      }
      case 'healthy':
        note(`${colours.green('healthy')} after ${formatDuration(event.afterMs)} (${event.check})`);
        break;
      case 'unhealthy':
        note(`${colours.red('unhealthy')} ${event.message}`);
        break;
      case 'stopping':
        note(`stopping: ${stopReason(event.reason)}; ${formatDuration(event.graceMs)} until it is killed`);
        break;
      case 'killing':
        note(`killing ${event.sources.map(({ id }) => id).join(', ')}`);
        break;
      case 'exited':
        if (!task) note(`${event.source.id} ended with ${event.exitCode}`);
        break;
      case 'warning':
        note(`${colours.yellow('warning')} ${event.message}`);
    }
  };
}

function stopReason(reason: Extract<RunEvent, { type: 'stopping' }>['reason']): string {
  switch (reason.kind) {
    case 'requested':
      return 'asked to';
    case 'codependent':
      return `${reason.ended.id} has ended`;
    case 'unhealthy':
      return reason.message;
  }
}
