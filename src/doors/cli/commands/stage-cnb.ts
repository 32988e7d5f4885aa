/** `stager stage --lifecycle cnb`: Cloud Native Buildpacks. */
import { writeJsonFile } from '../../../config/json-file.ts';
import { demandOutputFile } from '../../../machine/host/output-file.ts';
import { stageAppWithCnbs } from '../../../staging/stage-cnb.ts';
import { StagerError } from '../../../words/errors.ts';
import type { Context } from '../input/context.ts';
import { stageRequest } from '../input/stage-request.ts';
import { createRenderer } from '../terminal/render.ts';

/** One app into the file that --output names. */
export async function stageCnbCommand(context: Context): Promise<number> {
  const { config, signal, output, args } = context;
  const { settings } = config;
  const file = settings.output;
  if (file === undefined || settings.server !== undefined || (settings.buildpacks ?? []).length === 0) {
    throw new StagerError('USAGE', 'a staging with Cloud Native Buildpacks needs -b and --output', {
      next: 'Give -b DIRECTORY|FILE.cnb|FILE.tgz|docker://IMAGE and --output FILE, and no --server.',
    });
  }
  if (settings.result !== undefined) await demandOutputFile(settings.result);
  const request = await stageRequest(config, { source: typeof args[0] === 'string' ? args[0] : '.' });
  const stager = await context.stager();
  const client = await stager.registryClient(signal);
  const renderer = await createRenderer(output);
  try {
    const emit = (event: Parameters<typeof renderer.show>[0]): unknown => {
      renderer.show(event);
      return output.ready();
    };
    const ports = { ...(await stager.stagePorts(signal)), client };
    const result = await stageAppWithCnbs({ ...request, output: file }, ports, { signal, emit });
    if (settings.result !== undefined) await writeJsonFile(settings.result, result);
    if (output.json) output.object({ type: 'staged-cnb', output: file, result });
    else if (!output.quiet) {
      output.line(file);
      for (const [type, command] of Object.entries(result.process_types)) output.line(`${type}: ${command}`);
    }
    return 0;
  } finally {
    renderer.clear();
  }
}
