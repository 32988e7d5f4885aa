import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { describeApi, detailsIn, guidIn } from '../../support/api.ts';
import { newApp } from '../../support/apps.ts';
import { emptyPackage, form, readyPackage, zipOf } from '../../support/builds.ts';

const LARGE = 'x'.repeat(70_000);
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');
const resource = (path: string, text: string) => ({
  path,
  mode: '644',
  checksum: { value: sha1(text) },
  size_in_bytes: text.length,
});

describeApi('packages', (api) => {
  it('are made of an upload, once, and come back as a zip by an address without a token', async () => {
    const guid = await readyPackage(api(), await newApp(api()), { 'a/b.txt': 'one', 'c.txt': 'two' });
    const shown = await api().ask('GET', `/v3/packages/${guid}`);
    expect(shown.body).toMatchObject({ state: 'READY', type: 'bits', data: { error: null } });
    const again = await api().ask('POST', `/v3/packages/${guid}/upload`, {
      body: form({ bits: await zipOf({ 'd.txt': 'three' }) }),
    });
    expect(again.body['errors']).toMatchObject([{ code: 150004 }]);
    const redirect = await api().ask('GET', `/v3/packages/${guid}/download`);
    expect(redirect.status).toBe(302);
    const zip = await fetch(redirect.headers.get('location') ?? '');
    const bytes = Buffer.from(await zip.arrayBuffer());
    expect([zip.status, bytes.subarray(0, 2).toString()]).toEqual([200, 'PK']);
    expect(bytes.includes('a/b.txt') && bytes.includes('c.txt')).toBe(true);
  });

  it('that are not a zip are FAILED with the reason', async () => {
    const guid = await emptyPackage(api(), await newApp(api()));
    await api().ask('POST', `/v3/packages/${guid}/upload`, { body: form({ bits: new Blob(['no zip']) }) });
    await api().service.jobs.idle();
    const { body } = await api().ask('GET', `/v3/packages/${guid}`);
    expect(body).toMatchObject({ state: 'FAILED', data: { error: expect.not.stringContaining('..') } });
  });

  it('are copied without their bytes, and bytes stay until the last copy goes', async () => {
    const app = await newApp(api());
    const source = await readyPackage(api(), app);
    const other = { relationships: { app: { data: { guid: await newApp(api()) } } } };
    const copied = await api().ask('POST', `/v3/packages?source_guid=${source}`, { body: other });
    expect(copied.body).toMatchObject({ state: 'READY' });
    await api().job(await api().ask('DELETE', `/v3/packages/${source}`));
    expect((await api().ask('GET', `/v3/packages/${source}`)).status).toBe(404);
    const redirect = await api().ask('GET', `/v3/packages/${guidIn(copied)}/download`);
    expect((await fetch(redirect.headers.get('location') ?? '')).status).toBe(200);
  });

  it.each([
    { what: 'names no boundary', type: 'multipart/form-data', body: 'x' },
    { what: 'names an empty boundary', type: 'multipart/form-data; boundary=', body: 'x' },
    { what: 'has no part', type: 'multipart/form-data; boundary=b', body: 'x' },
    {
      what: 'ends in a part',
      type: 'multipart/form-data; boundary=b',
      body: '--b\r\nContent-Disposition: form-data; name="bits"; filename="a.zip"\r\n\r\nPK',
    },
    {
      what: 'has a boundary that is too long',
      type: `multipart/form-data; boundary=${'b'.repeat(300)}`,
      body: 'x',
    },
  ])('are not uploaded by a form that $what, and say so', async ({ type, body }) => {
    const guid = await emptyPackage(api(), await newApp(api()));
    const reply = await api().ask('POST', `/v3/packages/${guid}/upload`, {
      body,
      headers: { 'content-type': type },
    });
    expect([reply.status, detailsIn(reply).join()]).toEqual([
      400,
      expect.stringMatching(/^Request invalid due to parse error: /),
    ]);
  });

  it('find 100,000 files in one match, and say how many are too many', async () => {
    await readyPackage(api(), await newApp(api()), { 'large.txt': LARGE });
    const resources = Array.from({ length: 99_999 }, (_, n) => ({
      path: `f${n}`,
      size_in_bytes: LARGE.length,
      checksum: { value: n.toString(16).padStart(40, '0') },
    }));
    const ask = async (list: readonly object[]) =>
      await api().ask('POST', '/v3/resource_matches', { body: { resources: list } });
    const found = await ask([...resources, resource('large.txt', LARGE)]);
    expect([found.status, found.body]).toEqual([201, { resources: [resource('large.txt', LARGE)] }]);
    const refused = await ask([...resources, ...resources.slice(0, 2)]);
    expect([refused.status, detailsIn(refused)]).toEqual([422, [expect.stringContaining('100000')]]);
  });

  it('match what the space has stored, for those who develop in it and for nobody else', async () => {
    await readyPackage(api(), await newApp(api()), { 'large.txt': LARGE, 'small.txt': 'small' });
    const body = { resources: [resource('large.txt', LARGE), resource('small.txt', 'small')] };
    const ask = async (as: 'space_developer' | 'outsider') =>
      (await api().ask('POST', '/v3/resource_matches', { as, body })).body['resources'];
    expect(await ask('space_developer')).toEqual([resource('large.txt', LARGE)]);
    expect(await ask('outsider')).toEqual([]);
    // Our own client asks about files of every size, under the same rule.
    const files = body.resources.map(({ checksum, size_in_bytes: size }) => ({ sha1: checksum.value, size }));
    const known = async (as: 'space_developer' | 'outsider') =>
      (await api().ask('POST', '/stager/v1/resource_matches', { as, body: { files } })).body['known'];
    expect(await known('space_developer')).toEqual([0, 1]);
    expect(await known('outsider')).toEqual([]);
  });

  it('are made of matched files alone, in another space as well for who develops in both', async () => {
    const text = 'y'.repeat(70_000);
    await readyPackage(api(), await newApp(api()), { 'y.txt': text });
    const elsewhere = { relationships: { space: { data: { guid: api().world.otherSpace } } } };
    const upload = async (as: 'admin' | 'outsider') => {
      const app = await newApp(api(), elsewhere);
      const guid = await emptyPackage(api(), app);
      const parts = form({ resources: [resource('y.txt', text)] });
      await api().ask('POST', `/v3/packages/${guid}/upload`, { as, body: parts });
      await api().service.jobs.idle();
      return (await api().ask('GET', `/v3/packages/${guid}`)).body['state'];
    };
    // Who only knows the sha1 gets nothing.
    expect(await upload('outsider')).toBe('FAILED');
    expect(await upload('admin')).toBe('READY');
  });
});
