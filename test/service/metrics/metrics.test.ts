import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { listenForMetrics } from '../../../src/service/metrics/listen.ts';
import { Metrics } from '../../../src/service/metrics/metrics.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { WatchedStore } from '../../../src/stores/blobs/watched.ts';
import { StagerError } from '../../../src/words/errors.ts';
import type { BuildEvent } from '../../../src/words/events.ts';
import { fakeMeans } from '../../doors/http/support/staging.ts';
import { recordAt } from '../../support/staging-record.ts';

const at = new Date(0).toISOString();
const restored: BuildEvent = {
  type: 'phase-ended',
  at,
  phase: { name: 'restore-cache' },
  outcome: 'done',
  durationMs: 20,
};
const ignored: BuildEvent = { type: 'warning', at, code: 'build-cache-ignored', message: 'it is broken' };

async function lines(metrics: Metrics): Promise<readonly string[]> {
  return (await metrics.text()).body.split('\n');
}

it('figures tell how often a build cache was there, and how often it could be used', async () => {
  const metrics = new Metrics();
  const record = recordAt('file:///droplet');
  const ended: BuildEvent = { type: 'staging-ended', at, outcome: 'staged', record };
  const reused: BuildEvent = { ...ended, record: { ...record, reused: true } };
  for (const told of [[restored], [restored], [], [ignored, restored], [restored]]) {
    const take = metrics.ofStaging();
    for (const event of told) take(event);
    take(ended);
  }
  // Returned as it was, so nothing was looked for; and one that did not come to its end.
  metrics.ofStaging()(reused);
  metrics.ofStaging()(restored);
  expect(await lines(metrics)).toEqual(
    expect.arrayContaining([
      'stager_build_cache_total{result="hit"} 3',
      'stager_build_cache_total{result="miss"} 1',
      'stager_build_cache_total{result="broken"} 1',
      'stager_phase_seconds_count{phase="restore-cache",buildpack="",outcome="done"} 5',
    ]),
  );
});

it('figures tell how long the blobstore took, and with what it failed', async () => {
  const metrics = new Metrics();
  const means = await fakeMeans();
  const real = await means.blobs();
  const refuse = (): never => {
    throw new StagerError('BLOBSTORE_UNAVAILABLE', 'no', { next: 'wait' });
  };
  const broken: BlobStore = Object.assign(Object.create(real), { stat: async () => refuse() });
  const signal = new AbortController().signal;
  const key = { kind: 'droplets', name: 'abcdef/abcdef' } as const;
  const store = new WatchedStore(real, metrics.blob);
  await store.put(key, Readable.from([Buffer.from('x')], { objectMode: false }), {
    contentType: 'text/plain',
    signal,
  });
  await store.delete(key, { signal });
  // What is absent is an answer.
  await expect(store.get(key, { signal })).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  await expect(new WatchedStore(broken, metrics.blob).stat(key, { signal })).rejects.toThrow('no');
  expect(await lines(metrics)).toEqual(
    expect.arrayContaining([
      'stager_blobstore_seconds_count{operation="put",error=""} 1',
      'stager_blobstore_seconds_count{operation="delete",error=""} 1',
      'stager_blobstore_seconds_count{operation="get",error=""} 1',
      'stager_blobstore_seconds_count{operation="stat",error="BLOBSTORE_UNAVAILABLE"} 1',
    ]),
  );
  await means.remove();
});

it('figures of a worker can be asked for where it listens, and nothing else', async () => {
  const metrics = new Metrics();
  metrics.matched([{ sizeBytes: 70 }, { sizeBytes: 30 }], [{ sizeBytes: 70 }]);
  const { url, close } = await listenForMetrics(metrics, { host: '127.0.0.1', port: 0 });
  const text = await (await fetch(url)).text();
  expect(text).toContain('stager_resource_bytes_total{result="saved"} 70\n');
  expect(text).toContain('stager_resource_bytes_total{result="sent"} 30\n');
  expect((await fetch(new URL('/healthz', url))).status).toBe(200);
  expect((await fetch(new URL('/v3/apps', url))).status).toBe(404);
  close();
});
