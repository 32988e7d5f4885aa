/** `stager buildpack test`: a buildpack over its fixtures, and what each script left behind. */
import { testBuildpack } from '../../../workshop/test-buildpack.ts';
import type { Context } from '../input/context.ts';
import { fixtureLines, fixtureObject } from '../terminal/render-test.ts';
import { createStatusLine } from '../terminal/status-line.ts';

/** Shows each fixture when it is done; the first failure does not stop the others. */
export async function buildpackTest(context: Context): Promise<number> {
  const { config, output, signal, args, flags } = context;
  const { fixture, update } = flags;
  const { stack, cfStack, network, memory, disk, timeout } = config.settings;
  const trace = config.settings.trace === true;
  const stager = await context.stager();
  const status = await createStatusLine(output);
  try {
    await testBuildpack(
      {
        dir: String(args[0]),
        ...(typeof fixture === 'string' && { fixture }),
        update: update === true,
        stack,
        ...(cfStack !== undefined && { cfStack }),
        network,
        limits: { memoryMb: memory, diskMb: disk, timeoutMs: timeout },
        trace,
      },
      await stager.stagePorts(signal),
      {
        signal,
        emit: (event) => {
          if (event.type === 'phase-started') status.show(event.phase.name);
          if (event.type === 'warning' && event.code !== 'limit-not-enforced') {
            status.clear();
            if (!output.quiet) output.note(`warning ${event.message}`);
          }
        },
        onFixture: (result) => {
          status.clear();
          if (output.json) output.object(fixtureObject(result));
          else if (!output.quiet || result.outcome === 'failed') {
            for (const line of fixtureLines(result, { ...output, verbose: output.verbose || trace }))
              output.line(line);
          }
        },
      },
    );
    return 0;
  } finally {
    status.clear();
  }
}
