/** Images of droplets in a test's directory, and runs of them whose events are kept. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Stager } from '../../../src/compose.ts';
import { type BuiltImage, type ImageWish, packImage } from '../../../src/staging/build-image.ts';
import type { RunEvent } from '../../../src/staging/launch/events.ts';
import { startImage } from '../../../src/staging/run-image.ts';
import { parseImageReference } from '../../../src/stores/registry/reference.ts';

/** Makes `dir/name.tgz` of `dir/name`. */
export const packDroplet = (dir: string, name: string): void =>
  void execFileSync('tar', ['-czf', `${name}.tgz`, '-C', name, '.'], { cwd: dir });

/** Makes an image of a droplet on the stack `bash`: `v1` of the layout in `dir`, unless a test wants something else. */
export async function builtImage(
  { stager, dir }: { readonly stager: Stager; readonly dir: string },
  droplet: string,
  more: Partial<ImageWish> = {},
): Promise<BuiltImage> {
  const { signal } = new AbortController();
  const wish: ImageWish = {
    droplet: join(dir, droplet),
    target: parseImageReference('app:v1'),
    base: 'stack:bash',
    to: { kind: 'layout', directory: join(dir, 'layout') },
    sourceDateEpoch: 0,
    version: 'test',
    ...more,
  };
  return await packImage(wish, await stager.imagePorts(signal), { signal });
}

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
