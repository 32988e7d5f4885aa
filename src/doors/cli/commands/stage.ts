/** `stager stage`: one app, or those of a manifest. */
import { writeJsonFile } from '../../../config/json-file.ts';
import { demandOutputFile } from '../../../machine/host/output-file.ts';
import { resultDocument } from '../../../staging/droplet/result-document.ts';
import type { StageRequest } from '../../../staging/request/request.ts';
import { stageApp } from '../../../staging/stage.ts';
import type { Context } from '../input/context.ts';
import { stageTargets } from '../input/manifest-apps.ts';
import { stageRequest } from '../input/stage-request.ts';
import { createRenderer } from '../terminal/render.ts';

/** Stages, shows the events, writes the result file. A failure ends the run; apps before it stay staged. */
export async function stageCommand(context: Context): Promise<number> {
  const { config, signal, output } = context;
  const requests: StageRequest[] = [];
  for (const target of await stageTargets(context)) requests.push(await stageRequest(config, target));
  const { result } = config.settings;
  if (result !== undefined) await demandOutputFile(result);
  const stager = await context.stager();
  const renderer = await createRenderer(output);
  const results: unknown[] = [];
  try {
    for (const request of requests) {
      await stageApp(request, await stager.stagePorts(signal), {
        signal,
        emit: (event) => {
          renderer.show(event);
          if (event.type === 'staging-ended') results.push(resultDocument(event));
          return output.ready();
        },
      });
    }
    return 0;
  } finally {
    renderer.clear();
    if (result !== undefined && results.length > 0) {
      await writeJsonFile(result, requests.length === 1 ? results[0] : results);
    }
  }
}
