import { rm } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { type Api, describeApi, guidIn, resourcesIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';
import { form, readyPackage, staged, zipOf } from '../../support/builds.ts';

const BITS = { 'bin/detect': '#!/bin/sh\n', 'bin/compile': '#!/bin/sh\n', 'bin/release': '#!/bin/sh\n' };

async function create(api: Api, name: string, fields: object = {}): Promise<string> {
  return guidIn(await api.ask('POST', '/v3/buildpacks', { body: { name, ...fields } }));
}

async function upload(api: Api, guid: string, files: Readonly<Record<string, string>>) {
  const body = form({ bits: await zipOf(files), name: 'bp.zip' });
  const reply = await api.ask('POST', `/v3/buildpacks/${guid}/upload`, { body });
  await api.service.jobs.idle();
  return await api.ask('GET', reply.headers.get('location') ?? '/v3/jobs/none');
}

describeApi('buildpacks', (api) => {
  it('are in the order of their positions, which move the others', async () => {
    const [a, b, c] = [await create(api(), 'a'), await create(api(), 'b'), await create(api(), 'c')];
    await api().ask('PATCH', `/v3/buildpacks/${a}`, { body: { position: 3 } });
    await api().ask('PATCH', `/v3/buildpacks/${b}`, { body: { position: 1 } });
    const names = async () =>
      resourcesIn(await api().ask('GET', '/v3/buildpacks')).map(({ name, position }) => [name, position]);
    expect(await names()).toEqual([
      ['b', 1],
      ['c', 2],
      ['a', 3],
    ]);
    await api().job(await api().ask('DELETE', `/v3/buildpacks/${c}`));
    expect(await names()).toEqual([
      ['b', 1],
      ['a', 2],
    ]);
  });

  it('are used by builds that name them once their archive is there', async () => {
    const guid = await create(api(), 'used');
    const source = await readyPackage(api(), await newApp(api()));
    expect(await upload(api(), guid, BITS)).toMatchObject({ body: { state: 'COMPLETE' } });
    expect((await api().ask('GET', `/v3/buildpacks/${guid}`)).body).toMatchObject({
      state: 'READY',
      filename: 'bp.zip',
    });
    const lifecycle = { type: 'buildpack', data: { buildpacks: ['used'] } };
    // Nobody uploads to a worker: there it was never made.
    await rm(api().means.uploads, { recursive: true });
    expect((await staged(api(), source, { lifecycle })).body).toMatchObject({ state: 'STAGED' });
    await api().ask('PATCH', `/v3/buildpacks/${guid}`, { body: { enabled: false } });
    const refused = await api().ask('POST', '/v3/builds', { body: { package: { guid: source }, lifecycle } });
    expect(refused.body['errors']).toMatchObject([{ title: 'CF-BuildpackInvalid' }]);
  });

  it('take their stack from the manifest of the archive, if there is such a stack', async () => {
    const guid = await create(api(), 'stacked');
    const job = await upload(api(), guid, { ...BITS, 'manifest.yml': 'stack: fake-stack\n' });
    expect(job.body).toMatchObject({
      state: 'FAILED',
      errors: [{ code: 390012, detail: 'Uploaded buildpack stack (fake-stack) does not exist' }],
    });
  });

  it('that are locked take no other archive', async () => {
    const guid = await create(api(), 'locked', { locked: true });
    const body = form({ bits: await zipOf(BITS), name: 'bp.zip' });
    const reply = await api().ask('POST', `/v3/buildpacks/${guid}/upload`, { body });
    expect([reply.status, reply.text]).toEqual([422, expect.stringContaining('Buildpack is locked')]);
  });
});
