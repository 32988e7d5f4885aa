/** RunEvents → lines for people (as `cf logs` prefixes them), or one JSON object a line. */
import { stripVTControlCharacters } from 'node:util';
import { createColors } from 'picocolors';
import type { ExitOutcome } from '../../../machine/sandbox/port/exit-report.ts';
import { type EmitRun, logPrefix, type RunEvent } from '../../../staging/launch/events.ts';
import { formatBytes, formatDuration, formatRest } from '../../../words/units.ts';
import { harmless, oneLine } from './harmless.ts';
import type { Output } from './output.ts';

/** Shows the events of one run. A task's output is passed on bare, so that it can be piped. */
export function runRenderer(output: Output, { task }: { readonly task: boolean }): EmitRun {
  if (output.json) {
    return (event) => {
      output.object(event);
      return output.ready();
    };
  }
  const colours = createColors(output.colour);
  const open = new Map<string, boolean>();
  const note = (text: string): void => {
    if (!output.quiet) output.note(text);
  };
  const noteEnd = ({ source, exitCode, outcome }: Extract<RunEvent, { type: 'exited' }>): void => {
    const why = limitReached(outcome);
    if (!task || why !== undefined)
      note(`${source.id} ended with ${exitCode}${why === undefined ? '' : `: ${why}`}`);
  };
  return (event) => {
    switch (event.type) {
      case 'run-started':
        if (!task) note(`${colours.bold('==>')} ${event.source.id}: ${harmless(event.command)}`);
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
        noteEnd(event);
        break;
      case 'warning':
        note(`${colours.yellow('warning')} ${oneLine(event.message)}`);
    }
    return output.ready();
  };
}

/** 137 says only that it was killed; the limit that did it, where it was one. */
function limitReached(outcome: ExitOutcome): string | undefined {
  switch (outcome.kind) {
    case 'out-of-memory':
      return `it needed more than ${formatBytes(outcome.limitBytes)} of memory; raise --memory`;
    case 'out-of-disk': {
      const { usedBytes, limitBytes, largest } = outcome;
      const where = largest.map(({ path, sizeBytes }) => `${path} ${formatBytes(sizeBytes)}`).join(', ');
      return `its files take ${formatBytes(usedBytes)} of ${formatBytes(limitBytes)}; largest: ${where}; raise --disk`;
    }
    case 'too-many-files': {
      const where = outcome.fullest.map(({ path, files }) => `${path} ${files}`).join(', ');
      return `it made ${outcome.files} files, the limit is ${outcome.limitFiles}; most are in: ${where}`;
    }
    case 'host-disk-full':
      return `the machine has ${formatRest(outcome.reserveBytes)} of its disk left`;
    case 'file-too-large':
      return `it wrote a file over the limit of sizes of files, ${formatBytes(outcome.limitBytes)}; raise ulimit -f`;
    case 'exited':
    case 'signalled':
    case 'timed-out':
    case 'not-started':
    case 'cancelled':
      return undefined;
  }
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
