/** One build of the docker lifecycle: the image is described by its registry. Nothing of it is fetched or run. */
import { parseImageReference } from '../../stores/registry/reference.ts';
import { StagerError } from '../../words/errors.ts';
import { formatBytes, formatCount } from '../../words/units.ts';
import { dockerImageOf } from '../resources/docker-packages.ts';
import { json } from '../state/columns.ts';
import { forPeopleOfCf } from './registry-advice.ts';
import { type BuildRow, dropletOf, type NewDroplet, type StageBuildParts, sourceOf } from './stage-parts.ts';

/** Milliseconds for all that is asked of the registry, its waits included. */
const LIMIT_MS = 300_000;

/** @throws StagerError. */
export async function stageImage(build: BuildRow, parts: StageBuildParts): Promise<NewDroplet> {
  const { queries, means, log, clock } = parts;
  const { image, username, password } = dockerImageOf((await sourceOf(build, queries)).source);
  const { registry } = parseImageReference(image);
  const late = new AbortController();
  const limitMs = Math.min(LIMIT_MS, means.defaults.timeoutMs);
  const stop = clock.schedule(limitMs, () => late.abort(tooLate(image, limitMs)));
  log.line('stdout', 'Staging...');
  try {
    const found = await means.inspect(image, {
      signal: AbortSignal.any([parts.signal, late.signal]),
      credentials:
        username == null || username === '' ? {} : { [registry]: { username, password: password ?? '' } },
      onNote: (text) => log.line('stdout', text),
    });
    for (const warning of found.warnings) log.line('stderr', `WARNING: ${warning}`);
    const { result, digest, platform, layers, sizeBytes } = found;
    const facts = `${platform}, ${formatCount(layers, 'layer')}, ${formatBytes(sizeBytes)}`;
    log.line('stdout', `${result.lifecycle_metadata.docker_image} is ${digest} (${facts})`);
    log.line('stdout', 'Staging Complete');
    return {
      ...dropletOf(build),
      image: result.lifecycle_metadata.docker_image,
      process_types: json(result.process_types),
      execution_metadata: result.execution_metadata,
    };
  } catch (error) {
    throw late.signal.aborted ? late.signal.reason : forPeopleOfCf(error, 'docker');
  } finally {
    stop();
  }
}

function tooLate(image: string, limitMs: number): StagerError {
  return new StagerError(
    'STAGING_TIMEOUT',
    `the registry did not describe ${image} within ${Math.round(limitMs / 1000)} s`,
    { next: 'Try again later, or use another registry.' },
  );
}
