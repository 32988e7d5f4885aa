/**
 * What the endpoint stages with in tests: real blobs and a real content store in a directory, a real client of image
 * registries, and a staging that runs no script. Variables of the app say how it goes: FAKE=fail, FAKE=undetected, FAKE=wait (until cancelled), FAKE_LINES=n, FAKE_PAUSE=ms.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import got from 'got';
import { httpClient } from '../../../../src/machine/proxy/http-client.ts';
import type { InspectIo, StageIo, StagingMeans } from '../../../../src/service/builds/means.ts';
import { ContentStore } from '../../../../src/staging/buildpack/acquire/content-store.ts';
import { BuildpackFetcher } from '../../../../src/staging/buildpack/acquire/fetch.ts';
import { BuildpackRegistry } from '../../../../src/staging/buildpack/acquire/registry.ts';
import { dropletKey } from '../../../../src/staging/droplet/store.ts';
import { imageFacts } from '../../../../src/staging/inspect-image.ts';
import { openPackage } from '../../../../src/staging/package/open.ts';
import type { StageRequest } from '../../../../src/staging/request/request.ts';
import { openBlobStore } from '../../../../src/stores/blobs/open.ts';
import type { BlobStore } from '../../../../src/stores/blobs/port/blob-store.ts';
import { RegistryClient } from '../../../../src/stores/registry/client.ts';
import { credentialFinder } from '../../../../src/stores/registry/credentials.ts';
import { parseImageReference } from '../../../../src/stores/registry/reference.ts';
import { systemClock } from '../../../../src/words/clock.ts';
import { cancelled, StagerError } from '../../../../src/words/errors.ts';
import { newGuid } from '../../../../src/words/ids.ts';
import type { CnbResult } from '../../../../src/words/result.ts';
import type { StagingRecord } from '../../../../src/words/staging-record.ts';

export interface FakeMeans extends StagingMeans {
  /** What was asked to be staged. */
  readonly requests: StageRequest[];
  /** Why its disk has no room; undefined at first. */
  noRoom: string | undefined;
  remove(): Promise<void>;
}

/**
 * @param given a directory that outlives the process; without, one of its own.
 * @param address of a blobstore elsewhere.
 */
export async function fakeMeans(given?: string, address?: string): Promise<FakeMeans> {
  const dir = given ?? (await mkdtemp(join(tmpdir(), 'stager-http-')));
  const proxy = {};
  const blobs = await openBlobStore(address ?? join(dir, 'blobs'), { proxy, extraCas: async () => [] });
  const store = new ContentStore(join(dir, 'buildpacks'), systemClock);
  const parts = {
    registry: new BuildpackRegistry({ dir: join(dir, 'buildpacks'), store, clock: systemClock }),
    store,
    fetcher: new BuildpackFetcher({
      store,
      http: async () => got,
      cacheDir: join(dir, 'downloads'),
      git: { searchPath: '/usr/bin:/bin', proxy },
      clock: systemClock,
    }),
  };
  const requests: StageRequest[] = [];
  const means: FakeMeans = {
    requests,
    noRoom: undefined,
    shortOfDisk: async () => means.noRoom,
    blobs: async () => blobs,
    buildpacks: async () => parts,
    inspect: async (image, io) => await imageFacts(image, registryClient(io)),
    uploads: join(dir, 'uploads'),
    retention: { droplets: 5, packages: 5, logMs: 3_600_000 },
    stage: async (request, io) => {
      requests.push(request);
      for (const name of request.buildpacks) await io.buildpacks.registry.find(name, request.stack);
      return await fakeStaging(request, io, blobs);
    },
    stageWithCnbs: async (request, io) => {
      requests.push(request);
      const client = registryClient(io);
      for (const name of request.buildpacks) await client.image(parseImageReference(name));
      const record = await fakeStaging(request, io, blobs);
      return { ...record, result: CNB_RESULT };
    },
    defaults: {
      memoryMb: 1024,
      diskMb: 4096,
      timeoutMs: 60_000,
      network: 'none',
      rootfs: 'host',
      workers: 2,
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
  return means;
}

/** As impatient as a test. */
function registryClient({ signal, credentials: given, onNote }: InspectIo): RegistryClient {
  const credentials = credentialFinder({ given, files: [], searchPath: '' });
  const retry = { attempts: 2, baseMs: 1, capMs: 2, deadlineMs: 5000 };
  const http = httpClient({ proxy: {}, extraCa: [] });
  return new RegistryClient({ http, credentials, clock: systemClock, retry, onNote }, signal);
}

const CNB_RESULT: CnbResult = {
  lifecycle_metadata: { buildpacks: [{ key: 'test/hello', name: 'test/hello@1.0.0', version: '1.0.0' }] },
  process_types: { web: './hello' },
  execution_metadata: '',
  lifecycle_type: 'cnb',
};

async function fakeStaging(
  request: StageRequest,
  { signal, emit }: Pick<StageIo, 'signal' | 'emit'>,
  blobs: BlobStore,
): Promise<StagingRecord> {
  const at = new Date().toISOString();
  const phase = { name: 'finalize' } as const;
  if (request.source.kind !== 'package') throw new Error('only packages are staged here');
  await openPackage(request.source.guid, { store: blobs, signal });
  const lines = Number(request.env['FAKE_LINES'] ?? '2');
  for (let n = 1; n <= lines; n++) emit({ type: 'output', at, phase, stream: 'stdout', text: `line ${n}` });
  if (request.env['FAKE'] === 'wait') {
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => reject(cancelled(signal)), { once: true });
    if (signal.aborted) throw cancelled(signal);
    await promise;
  }
  const pause = Number(request.env['FAKE_PAUSE'] ?? '0');
  if (pause > 0) await setTimeout(pause, undefined, { signal });
  if (request.env['FAKE'] === 'fail') throw new StagerError('COMPILE_FAILED', 'the script failed');
  if (request.env['FAKE'] === 'undetected') throw new StagerError('NO_APP_DETECTED', 'nobody wants it');
  const guid = newGuid();
  const body = Readable.from([Buffer.from(`droplet of ${request.app.name}`)], { objectMode: false });
  const info = await blobs.put(dropletKey(request.app.guid, guid), body, {
    contentType: 'application/gzip',
    signal,
  });
  return {
    build: newGuid(),
    app: { guid: request.app.guid, name: request.app.name },
    source: 'package',
    stack: request.stack,
    sandbox: 'none',
    startedAt: at,
    durationMs: 1,
    phases: [],
    buildpacks: [],
    droplet: {
      guid,
      location: blobs.location(info.key),
      sizeBytes: info.sizeBytes,
      sha1: info.sha1,
      sha256: info.sha256,
    },
    reused: false,
    limits: { memoryMb: request.memoryMb, diskMb: request.diskMb, timeoutMs: request.timeoutMs },
    peaks: {},
    warnings: [],
    result: {
      lifecycle_metadata: {
        buildpack_key: 'fake',
        detected_buildpack: 'Fake',
        buildpacks: [{ key: 'fake_buildpack', name: 'Fake', version: '1.2.3' }],
      },
      process_types: { web: 'run web', worker: 'run worker' },
      processes: [],
      execution_metadata: '',
      lifecycle_type: 'buildpack',
    },
  };
}
