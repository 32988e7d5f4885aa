/** `stager stage --docker-image` and `stager run --image`: images from elsewhere. */
import { basename } from 'node:path';
import { writeJsonFile } from '../../../config/json-file.ts';
import { demandOutputFile } from '../../../machine/host/output-file.ts';
import { demandRemote } from '../../../remote/demand-remote.ts';
import { stageImageOnServer } from '../../../remote/stage-image-remotely.ts';
import { imageFacts } from '../../../staging/inspect-image.ts';
import { type ImageRunWish, startImage } from '../../../staging/run-image.ts';
import type { RegistryLogin } from '../../../stores/registry/open.ts';
import { parseImageReference } from '../../../stores/registry/reference.ts';
import { CODES, StagerError } from '../../../words/errors.ts';
import { formatBytes, formatCount } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';
import { oneLine } from '../terminal/harmless.ts';
import { runRenderer } from '../terminal/render-run.ts';
import { reportError } from '../terminal/report-error.ts';

/** Looks at the image, and leaves Cloud Foundry's result. */
export async function stageDockerImage(context: Context, image: string): Promise<number> {
  const { config, output, signal, args } = context;
  if (typeof args[0] === 'string')
    throw new StagerError('USAGE', 'an image and a source cannot be used together', {
      next: 'Leave one of them out.',
    });
  const { result: file, server } = config.settings;
  if (file !== undefined) await demandOutputFile(file);
  if (server !== undefined) return await stageOnThatServer(context, { image, server });
  const stager = await context.stager();
  const client = await stager.registryClient(signal, loginOf(context, image));
  const { result, warnings, ...facts } = await imageFacts(image, client);
  if (file !== undefined)
    await writeJsonFile(file, { ...result, stager: { outcome: 'staged', ...facts, warnings } });
  for (const warning of warnings) output.note(`warning ${warning}`);
  if (output.json) output.object({ type: 'staged-image', ...facts, warnings, result });
  else if (!output.quiet) {
    output.line(oneLine(`${result.lifecycle_metadata.docker_image} ${facts.digest}`));
    output.line(`${facts.platform}, ${formatCount(facts.layers, 'layer')}, ${formatBytes(facts.sizeBytes)}`);
    output.line(oneLine(`web: ${result.process_types.web}`));
  }
  return 0;
}

/** The server looks at it, with the credentials that are given here. */
async function stageOnThatServer(
  context: Context,
  { image, server }: { readonly image: string; readonly server: string },
): Promise<number> {
  const { config, output, signal } = context;
  const { org, space, appName, result: file } = config.settings;
  demandRemote([...config.given]);
  const { repository } = parseImageReference(image);
  const login = givenLogin(context);
  const stager = await context.stager();
  const staged = await stageImageOnServer(
    {
      name: appName ?? basename(repository),
      image,
      ...(login !== undefined && { login }),
    },
    { url: server, org, space },
    { ...(await stager.remotePorts(server, signal)), signal },
  );
  const { app, droplet, result } = staged;
  if (file !== undefined) await writeJsonFile(file, { ...result, stager: { outcome: 'staged', ...staged } });
  if (output.json) output.object({ type: 'staged-image', ...staged });
  else if (!output.quiet) {
    output.line(oneLine(`${result.lifecycle_metadata.docker_image} is droplet ${droplet} of app ${app}`));
    output.line(oneLine(`web: ${result.process_types.web}`));
  }
  return 0;
}

/** Runs it to its end; the exit status is the image's. */
export async function runNamedImage(
  context: Context,
  wish: Omit<ImageRunWish, 'memoryMb' | 'diskMb' | 'network'>,
): Promise<number> {
  const { config, signal, output } = context;
  const { memory: memoryMb, disk: diskMb, network } = config.settings;
  const stager = await context.stager();
  const client = await stager.registryClient(signal, loginOf(context, wish.image));
  const { sandbox, workspaces } = await stager.runPorts(signal);
  const ports = { sandbox, workspaces, client, stacks: stager.stacks, clock: stager.clock };
  const emit = runRenderer(output, { task: wish.command.length > 0 });
  const started = await startImage({ ...wish, memoryMb, diskMb, network }, ports, { signal, emit });
  if (started.port !== undefined && network !== 'none' && !output.json && !output.quiet)
    output.note(`PORT is ${started.port}`);
  const { end, exitCode } = await started.done;
  if (end.kind !== 'unhealthy') return exitCode;
  reportError(end.failure, output);
  return CODES[end.failure.code].exit;
}

/** For the registry that holds the image. */
function givenLogin({ flags, config }: Context) {
  const username = flags['dockerUsername'];
  const { dockerPassword: password } = config.registries;
  if (typeof username !== 'string') return undefined;
  if (password === undefined)
    throw new StagerError('USAGE', '--docker-username needs a password', { next: 'Set CF_DOCKER_PASSWORD.' });
  return { username, password };
}

function loginOf(context: Context, image: string): RegistryLogin {
  const given = givenLogin(context);
  if (given === undefined) return {};
  const { registry } = parseImageReference(image);
  return { login: { registry, credential: { kind: 'basic', ...given } } };
}
