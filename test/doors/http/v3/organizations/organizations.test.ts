import { expect, it } from 'vitest';
import { describeApi, detailsIn, guidIn, resourcesIn } from '../../support/api.ts';

describeApi('organizations', (api) => {
  const create = async (name: string, more: object = {}) =>
    await api().ask('POST', '/v3/organizations', { body: { name, ...more } });

  it('are created, shown and listed by name', async () => {
    const created = await create('Blue, Inc', { metadata: { labels: { tier: 'gold' } } });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      name: 'Blue, Inc',
      suspended: false,
      metadata: { labels: { tier: 'gold' }, annotations: {} },
      links: { self: { href: `${api().url}/v3/organizations/${guidIn(created)}` } },
    });
    const shown = await api().ask('GET', `/v3/organizations/${guidIn(created)}`);
    expect(shown.body).toEqual(created.body);
    // The cf client encodes a comma in a name once more.
    const listed = await api().ask('GET', '/v3/organizations?names=blue%252C%20Inc');
    expect(resourcesIn(listed)).toEqual([created.body]);
  });

  it('refuse a name that is taken, in whatever case, with the sentence that the client knows', async () => {
    await create('Taken');
    const again = await create('taken');
    expect(again.status).toBe(422);
    expect(again.body).toEqual({
      errors: [
        { code: 10008, title: 'CF-UnprocessableEntity', detail: "Organization 'taken' already exists." },
      ],
    });
  });

  it('are ordered by name without regard to case', async () => {
    for (const name of ['ord-b', 'ORD-A', 'Ord-C'])
      await create(name, { metadata: { labels: { set: 'o' } } });
    const listed = await api().ask('GET', '/v3/organizations?label_selector=set%3Do&order_by=name');
    expect(resourcesIn(listed).map(({ name }) => name)).toEqual(['ORD-A', 'ord-b', 'Ord-C']);
  });

  it('are not renamed to a name that is taken', async () => {
    await create('first-come');
    const guid = guidIn(await create('second'));
    const reply = await api().ask('PATCH', `/v3/organizations/${guid}`, { body: { name: 'First-Come' } });
    expect(detailsIn(reply)).toEqual(["Organization name 'First-Come' is already taken."]);
  });

  it('refuse what they do not know', async () => {
    const reply = await create('odd', { quota: 1 });
    expect([reply.status, detailsIn(reply)]).toEqual([422, ["Unknown field(s): 'quota'"]]);
    const query = await api().ask('GET', '/v3/organizations?colour=red');
    expect(query.status).toBe(400);
    expect(detailsIn(query)[0]).toContain(
      "Unknown query parameter(s): 'colour'. Valid parameters are: 'page'",
    );
  });

  it('name every field that is wrong', async () => {
    const reply = await api().ask('POST', '/v3/organizations', { body: { name: '', suspended: 'yes' } });
    expect(detailsIn(reply)).toEqual([
      'Name is too short (minimum is 1 character), Suspended must be a boolean',
    ]);
  });

  it('are renamed and labelled; null takes a label away', async () => {
    const guid = guidIn(await create('before', { metadata: { labels: { a: '1', b: '2' } } }));
    const reply = await api().ask('PATCH', `/v3/organizations/${guid}`, {
      body: { name: 'after', metadata: { labels: { a: null, c: '3' }, annotations: { note: 'x' } } },
    });
    expect(reply.body).toMatchObject({
      name: 'after',
      metadata: { labels: { b: '2', c: '3' }, annotations: { note: 'x' } },
    });
  });

  it('are gone after the job of their deletion', async () => {
    const guid = guidIn(await create('short-lived'));
    const reply = await api().ask('DELETE', `/v3/organizations/${guid}`);
    expect(reply.status).toBe(202);
    await api().job(reply);
    expect((await api().ask('GET', `/v3/organizations/${guid}`)).status).toBe(404);
  });

  it('are not found under what is not a guid', async () => {
    const reply = await api().ask('GET', '/v3/organizations/%00');
    expect([reply.status, detailsIn(reply)]).toEqual([404, ['Organization not found']]);
  });

  it('come in pages whose links keep the filters', async () => {
    for (const name of ['page-c', 'page-a', 'page-b'])
      await create(name, { metadata: { labels: { set: 'p' } } });
    const first = await api().ask(
      'GET',
      '/v3/organizations?label_selector=set%3Dp&order_by=-name&per_page=2',
    );
    expect(resourcesIn(first).map(({ name }) => name)).toEqual(['page-c', 'page-b']);
    const next = `${api().url}/v3/organizations?label_selector=set%3Dp&order_by=-name&per_page=2&page=2`;
    expect(first.body).toMatchObject({
      pagination: { total_results: 3, total_pages: 2, next: { href: next }, previous: null },
    });
    const second = await api().ask('GET', next);
    expect(resourcesIn(second).map(({ name }) => name)).toEqual(['page-a']);
    expect(second.body).toMatchObject({ pagination: { next: null } });
    const beyond = await api().ask('GET', '/v3/organizations?page=99');
    expect(resourcesIn(beyond)).toEqual([]);
  });

  it('are chosen by labels', async () => {
    await create('sel-1', { metadata: { labels: { env: 'prod', tier: 'web' } } });
    await create('sel-2', { metadata: { labels: { env: 'test' } } });
    await create('sel-3', { metadata: { labels: { env: 'dev', 'acme.com/team': 'x' } } });
    const names = async (selector: string) => {
      const query = new URLSearchParams({ label_selector: `env,${selector}`, order_by: 'name' });
      return resourcesIn(await api().ask('GET', `/v3/organizations?${query}`)).map(({ name }) => name);
    };
    expect(await names('env=prod')).toEqual(['sel-1']);
    expect(await names('env!=prod')).toEqual(['sel-2', 'sel-3']);
    expect(await names('env in (prod,test)')).toEqual(['sel-1', 'sel-2']);
    expect(await names('env notin (prod, test)')).toEqual(['sel-3']);
    expect(await names('!tier')).toEqual(['sel-2', 'sel-3']);
    expect(await names('acme.com/team')).toEqual(['sel-3']);
  });

  it('say what is wrong with labels, in words that clients read', async () => {
    const { world } = api();
    const body = { metadata: { labels: { '': 'test', sha2: '108&eb90d734', '^^snorky': null } } };
    const reply = await api().ask('PATCH', `/v3/organizations/${world.organization}`, { body });
    expect([reply.status, detailsIn(reply)]).toEqual([
      422,
      [
        "Metadata label key error: key cannot be empty string, Metadata label value error: '108&eb90d734' contains invalid characters, Metadata label key error: '^^snorky' contains invalid characters",
      ],
    ]);
  });

  it('are chosen by when they were made', async () => {
    const { body } = await create('dated');
    const at = String(body['created_at']);
    const found = async (query: string) => {
      const reply = await api().ask('GET', `/v3/organizations?names=dated&${query}`);
      return resourcesIn(reply).length;
    };
    expect(await found(`created_ats=${at}`)).toBe(1);
    expect(await found(`created_ats[lte]=${at}&created_ats[gte]=${at}`)).toBe(1);
    expect(await found(`created_ats[gt]=${at}`)).toBe(0);
    const wrong = await api().ask('GET', '/v3/organizations?created_ats=yesterday');
    expect(wrong.status).toBe(400);
  });
});
