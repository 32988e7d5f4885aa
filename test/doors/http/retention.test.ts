import { expect, it } from 'vitest';
import { expireStaged } from '../../../src/service/builds/retention.ts';
import { parseGuid } from '../../../src/words/ids.ts';
import { type Api, describeApi, resourcesIn } from './support/api.ts';
import { newApp } from './support/apps.ts';
import { readyPackage, staged } from './support/builds.ts';

async function expire(api: Api, app: string, keep: number): Promise<void> {
  const parts = await api.service.staging.parts(new AbortController().signal);
  await expireStaged({ droplets: keep, packages: keep, logMs: 1000 }, parts, parseGuid(app));
}

const statesOf = async (api: Api, path: string) =>
  resourcesIn(await api.ask('GET', `${path}?order_by=created_at`)).map(({ state }) => state);

async function blobsOf({ means }: Api, app: string): Promise<number> {
  const names: string[] = [];
  const signal = new AbortController().signal;
  for await (const { key } of (await means.blobs()).names('droplets', { signal, prefix: app }))
    names.push(key.name);
  return names.length;
}

describeApi('retention', (api) => {
  it('keeps the newest, the current droplet with its package, and no bytes of the rest', async () => {
    const app = await newApp(api());
    const built: string[] = [];
    for (const name of ['one', 'two', 'three']) {
      const { body } = await staged(api(), await readyPackage(api(), app, { name }));
      const { droplet } = body;
      built.push(
        typeof droplet === 'object' && droplet !== null && 'guid' in droplet ? String(droplet.guid) : '',
      );
    }
    await api().ask('PATCH', `/v3/apps/${app}/relationships/current_droplet`, {
      body: { data: { guid: built[0] } },
    });
    await expire(api(), app, 1);
    expect(await statesOf(api(), `/v3/apps/${app}/droplets`)).toEqual(['STAGED', 'EXPIRED', 'STAGED']);
    expect(await statesOf(api(), `/v3/apps/${app}/packages`)).toEqual(['READY', 'EXPIRED', 'READY']);
    expect(await blobsOf(api(), app)).toBe(2);
    const gone = await api().ask('GET', `/v3/droplets/${built[1]}/download`);
    expect(gone.status).toBe(422);
    const kept = await api().ask('GET', `/v3/droplets/${built[0]}/download`);
    expect((await fetch(kept.headers.get('location') ?? '')).status).toBe(200);
  });

  it('leaves bytes that a copy uses', async () => {
    const [app, other] = [await newApp(api()), await newApp(api())];
    const source = await readyPackage(api(), app, { shared: 'bytes' });
    await readyPackage(api(), app, { newer: 'bytes' });
    const copy = await api().ask('POST', `/v3/packages?source_guid=${source}`, {
      body: { relationships: { app: { data: { guid: other } } } },
    });
    await expire(api(), app, 1);
    expect(await statesOf(api(), `/v3/apps/${app}/packages`)).toEqual(['EXPIRED', 'READY']);
    const redirect = await api().ask('GET', `/v3/packages/${String(copy.body['guid'])}/download`);
    expect((await fetch(redirect.headers.get('location') ?? '')).status).toBe(200);
  });
});
