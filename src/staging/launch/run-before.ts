/** Runs what has to end before a command of a droplet can be started; its lines are those of the command. */
import type { ExitReport } from '../../machine/sandbox/port/exit-report.ts';
import type { SandboxSpec } from '../../machine/sandbox/port/sandbox.ts';
import { throwIfCancelled } from '../../words/errors.ts';
import { type Line, LineSplitter } from '../logs/lines.ts';
import type { LogSource } from './events.ts';
import type { InstancePorts } from './instance.ts';

/** To its end; how it ended is a value. @throws StagerError CANCELLED, and what the sandbox throws. */
export async function runBefore(
  source: LogSource,
  spec: SandboxSpec,
  { sandbox, clock, emit, redact, signal }: InstancePorts & { readonly signal: AbortSignal },
): Promise<ExitReport> {
  const splitter = (stream: 'stdout' | 'stderr'): LineSplitter => {
    const onLine = ({ text, partial }: Line): void => {
      const at = new Date(clock.now()).toISOString();
      emit({ type: 'log', at, source, stream, text: redact(text), ...(partial && { partial }) });
    };
    return new LineSplitter({ clock, onLine });
  };
  const streams = { stdout: splitter('stdout'), stderr: splitter('stderr') };
  try {
    return await sandbox.run(spec, { signal, onOutput: (stream, chunk) => streams[stream].write(chunk) });
  } finally {
    streams.stdout.end();
    streams.stderr.end();
    throwIfCancelled(signal);
  }
}
