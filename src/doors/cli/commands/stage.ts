/** `stager stage`: one app, or those of a manifest. */
import { writeJsonFile } from '../../../config/json-file.ts';
import { demandOutputFile } from '../../../machine/host/output-file.ts';
import { demandRemote } from '../../../remote/demand-remote.ts';
import { resultDocument } from '../../../staging/droplet/result-document.ts';
import type { StageRequest } from '../../../staging/request/request.ts';
import { stageApp } from '../../../staging/stage.ts';
import { StagerError } from '../../../words/errors.ts';
import type { Context } from '../input/context.ts';
import { stageTargets } from '../input/manifest-apps.ts';
import { namedImageOf } from '../input/named-image.ts';
import { stageRequest } from '../input/stage-request.ts';
import { createRenderer } from '../terminal/render.ts';

/** Stages, shows the events, writes the result file. A failure ends the run; apps before it stay staged. */
export async function stageCommand(context: Context): Promise<number> {
  const image = namedImageOf(context);
  if (image !== undefined) {
    const { stageDockerImage } = await import('./docker-image.ts');
    return await stageDockerImage(context, image);
  }
  const lifecycle = lifecycleOf(context);
  if (lifecycle !== 'cnb' && context.flags['builder'] !== undefined)
    throw new StagerError('USAGE', '--builder is for --lifecycle cnb', { next: 'Give both, or neither.' });
  const { config, signal, output } = context;
  const requests: StageRequest[] = [];
  for (const target of await stageTargets(context)) requests.push(await stageRequest(config, target));
  if (requests.length > 1 && requests.some(({ bundle }) => bundle !== undefined)) {
    throw new StagerError('USAGE', 'a bundle belongs to one app', {
      next: 'Name the app of the manifest, and give each a directory of its own.',
    });
  }
  const { result } = config.settings;
  if (result !== undefined) await demandOutputFile(result);
  const stageOne = await (lifecycle === 'cnb' ? stageWithCnbs(context) : stageHow(context));
  const renderer = await createRenderer(output);
  const results: unknown[] = [];
  try {
    for (const request of requests) {
      await stageOne(request, {
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

/** On this machine, or on a server. @throws StagerError USAGE for what a server does not take. */
async function stageHow({ config, signal, stager: open }: Context) {
  const stager = await open();
  const { server, org, space } = config.settings;
  type Io = Parameters<typeof stageApp>[2];
  if (server === undefined)
    return async (request: StageRequest, io: Io) => stageApp(request, await stager.stagePorts(signal), io);
  demandRemote([...config.given]);
  const { stageOnServer } = await import('../../../remote/stage-remotely.ts');
  const target = { url: server, org, space };
  return async (request: StageRequest, io: Io) =>
    stageOnServer(request, target, await stager.remotePorts(server, signal), io);
}

/** With Cloud Native Buildpacks, which are named or come with a builder: nothing is installed for detect to try. */
async function stageWithCnbs({ config, flags, signal, stager: open }: Context) {
  if (config.settings.server !== undefined) {
    throw new StagerError('USAGE', 'stager stage --server does not send Cloud Native Buildpacks', {
      next: 'Stage on this machine, or cf push --lifecycle cnb.',
    });
  }
  const { builder } = flags;
  const { cnbRegistry } = config.settings;
  const stager = await open();
  const ports = { ...(await stager.stagePorts(signal)), client: await stager.registryClient(signal) };
  const { stageAppWithCnbs } = await import('../../../staging/stage-cnb.ts');
  return async (request: StageRequest, io: Parameters<typeof stageApp>[2]) =>
    stageAppWithCnbs(
      {
        ...request,
        ...(typeof builder === 'string' && { builder }),
        ...(cnbRegistry !== undefined && { cnbRegistry }),
      },
      ports,
      io,
    );
}

function lifecycleOf({ flags: { lifecycle = 'buildpack' } }: Context): 'buildpack' | 'cnb' {
  if (lifecycle === 'buildpack' || lifecycle === 'cnb') return lifecycle;
  throw new StagerError('USAGE', `--lifecycle ${JSON.stringify(lifecycle)} is not known`, {
    next: 'Use buildpack or cnb, or --docker-image.',
  });
}
