/** Runs of images whose events are kept. */
import type { Stager } from '../../../src/compose.ts';
import type { RunEvent } from '../../../src/staging/launch/events.ts';
import { startImage } from '../../../src/staging/run-image.ts';

/** What a run of an image left. */
export interface RanImage {
  readonly code: number;
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
}

/** Starts an image of a layout or a registry in the sandbox, to its end. */
export async function ranImage(
  stager: Stager,
  image: string,
  command: readonly string[] = [],
  onLine: (text: string, stop: () => void) => void = () => undefined,
): Promise<RanImage> {
  const { signal } = new AbortController();
  const { sandbox, workspaces } = await stager.runPorts(signal);
  const client = await stager.registryClient(signal);
  const events: RunEvent[] = [];
  const stopper = new AbortController();
  const started = await startImage(
    {
      image,
      command,
      env: {},
      memoryMb: 256,
      diskMb: 256,
      network: 'host',
      healthCheck: { type: 'process' },
    },
    { sandbox, workspaces, client, stacks: stager.stacks, clock: stager.clock },
    {
      signal: stopper.signal,
      emit: (event) => {
        events.push(event);
        if (event.type === 'log') onLine(event.text, () => stopper.abort());
      },
    },
  );
  const { exitCode } = await started.done;
  return {
    code: exitCode,
    lines: events.flatMap((event) => (event.type === 'log' ? [event.text] : [])),
    warnings: events.flatMap((event) => (event.type === 'warning' ? [event.code] : [])),
  };
}
