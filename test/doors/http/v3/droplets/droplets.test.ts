import { expect, it } from 'vitest';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';
import { newApp, newDroplet } from '../../support/apps.ts';
import { form, readyPackage, staged } from '../../support/builds.ts';

describeApi('droplets', (api) => {
  const made = async (app: string): Promise<string> => {
    const body = { relationships: { app: { data: { guid: app } } }, process_types: { web: 'x' } };
    return guidIn(await api().ask('POST', '/v3/droplets', { body }));
  };

  it('are uploaded and come back byte for byte', async () => {
    const guid = await made(await newApp(api()));
    const upload = await api().ask('POST', `/v3/droplets/${guid}/upload`, {
      body: form({ bits: new Blob(['bytes of a droplet']), name: 'droplet.tgz' }),
    });
    expect(upload.status).toBe(202);
    await api().job(upload);
    expect((await api().ask('GET', `/v3/droplets/${guid}`)).body).toMatchObject({ state: 'STAGED' });
    const redirect = await api().ask('GET', `/v3/droplets/${guid}/download`);
    const bytes = await fetch(redirect.headers.get('location') ?? '');
    expect(await bytes.text()).toBe('bytes of a droplet');
  });

  it('have to be a tgz by their name', async () => {
    const guid = await made(await newApp(api()));
    const reply = await api().ask('POST', `/v3/droplets/${guid}/upload`, {
      body: form({ bits: new Blob(['x']), name: 'x.txt' }),
    });
    expect([reply.status, detailsIn(reply)]).toEqual([
      422,
      ['Uploaded droplet file is invalid: x.txt is not a tgz'],
    ]);
  });

  it('hide their commands in lists, and from who reads no secrets', async () => {
    const app = await newApp(api());
    const guid = await newDroplet(api(), app, { web: 'secret' });
    const list = await api().ask('GET', `/v3/apps/${app}/droplets`);
    expect(resourcesIn(list)[0]?.['process_types']).toEqual({
      redacted_message: '[PRIVATE DATA HIDDEN IN LISTS]',
    });
    const one = await api().ask('GET', `/v3/droplets/${guid}`, { as: 'space_auditor' });
    expect(one.body['process_types']).toEqual({ redacted_message: '[PRIVATE DATA HIDDEN]' });
  });

  it('are copied to another app, and their bytes stay until the last copy goes', async () => {
    const app = await newApp(api());
    await staged(api(), await readyPackage(api(), app));
    const [droplet] = resourcesIn(await api().ask('GET', `/v3/apps/${app}/droplets`));
    const body = { relationships: { app: { data: { guid: await newApp(api()) } } } };
    const copy = await api().ask('POST', `/v3/droplets?source_guid=${String(droplet?.['guid'])}`, { body });
    expect(copy.body).toMatchObject({ state: 'STAGED' });
    await api().job(await api().ask('DELETE', `/v3/apps/${app}`));
    const redirect = await api().ask('GET', `/v3/droplets/${guidIn(copy)}/download`);
    const bytes = await fetch(redirect.headers.get('location') ?? '');
    expect(await bytes.text()).toMatch(/^droplet of /);
  });
});
