import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, expect, it } from 'vitest';
import { type Api, describeApi, guidIn, type Reply } from '../support/api.ts';
import { newApp } from '../support/apps.ts';
import { readyPackage, staged } from '../support/builds.ts';

interface Received {
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** What webhooks are sent to: it answers as it is told. */
async function receiver() {
  const received: Received[] = [];
  const answers: number[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    received.push({ body, headers: request.headers });
    const status = answers.shift() ?? 204;
    response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}/hook`, received, answers, stop: () => server.close() };
}

/** Makes due what waits for its next attempt. */
async function nextAttempt({ service }: Api): Promise<void> {
  await service.database.run(`update queue.job set start_after = now() where name = 'webhooks'`);
  service.deliveries.wake();
}

/** Waits until the deliveries of a hook are as they are expected: what ended begins one a moment later. */
async function delivered(api: Api, hook: string, expected: readonly object[]): Promise<void> {
  await expect.poll(() => deliveries(api, hook), PATIENCE).toMatchObject(expected);
}

const PATIENCE = { timeout: 60_000, interval: 50 };

async function deliveries(api: Api, hook: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { body } = await api.ask('GET', `/stager/v1/webhooks/${hook}/deliveries`);
  return Array.isArray(body['deliveries']) ? body['deliveries'] : [];
}

async function newHook(api: Api, fields: object): Promise<Reply> {
  return await api.ask('POST', '/stager/v1/webhooks', {
    body: { name: `hook-${crypto.randomUUID()}`, allow_private: true, ...fields },
  });
}

function isSigned({ body, headers }: Received, secret: unknown): boolean {
  const [, seconds = '', rest = ''] = /^t=(\d+),(.*)$/.exec(String(headers['stager-signature'])) ?? [];
  const wanted = createHmac('sha256', String(secret)).update(`${seconds}.${body}`).digest('hex');
  return Math.abs(Date.now() / 1000 - Number(seconds)) < 600 && rest.split(',').includes(`v1=${wanted}`);
}

describeApi('webhooks and the feed', (api) => {
  const stops: (() => unknown)[] = [];
  afterAll(() => {
    for (const stop of stops) stop();
  });

  it('tell what ended, signed, again until it is taken, and show what was given up', async () => {
    const target = await receiver();
    stops.push(target.stop);
    const made = await newHook(api(), {
      url: target.url,
      relationships: { space: { data: { guid: api().world.space } } },
    });
    const [hook, first] = [guidIn(made), made.body['secret']];
    const app = await newApp(api());
    const source = await readyPackage(api(), app);
    target.answers.push(500, 302, 200);
    const { body: build } = await staged(api(), source);
    await delivered(api(), hook, [{ state: 'PENDING', attempts: 1, last_status: 500 }]);
    // A redirect is an answer, and followed by nobody.
    await nextAttempt(api());
    await delivered(api(), hook, [{ state: 'PENDING', attempts: 2, last_status: 302 }]);
    await nextAttempt(api());
    await delivered(api(), hook, [{ state: 'DELIVERED', attempts: 3, last_status: 200 }]);
    expect(target.received).toHaveLength(3);
    const [got] = target.received;
    if (got === undefined) throw new Error('nothing came');
    expect(JSON.parse(got.body)).toMatchObject({
      type: 'build.ended',
      build: { guid: build['guid'], state: 'STAGED', error: null },
      app: { guid: app },
      droplet: { guid: expect.any(String) },
    });
    expect(target.received.every((one) => isSigned(one, first))).toBe(true);
    expect(isSigned(got, 'another secret')).toBe(false);

    const rotated = await api().ask('POST', `/stager/v1/webhooks/${hook}/actions/rotate`, {
      body: { overlap_in_seconds: 60 },
    });
    expect(rotated.body).toMatchObject({ secrets: 2 });
    await staged(api(), source);
    await expect.poll(() => target.received.length, PATIENCE).toBe(4);
    const both = target.received.at(-1);
    expect(both && [isSigned(both, first), isSigned(both, rotated.body['secret'])]).toEqual([true, true]);
    const now = await api().ask('POST', `/stager/v1/webhooks/${hook}/actions/rotate`, {
      body: { overlap_in_seconds: 0 },
    });
    expect(now.body).toMatchObject({ secrets: 1 });
    await staged(api(), source);
    await expect.poll(() => target.received.length, PATIENCE).toBe(5);
    const last = target.received.at(-1);
    expect(last && [isSigned(last, first), isSigned(last, now.body['secret'])]).toEqual([false, true]);

    expect(JSON.stringify((await api().ask('GET', `/stager/v1/webhooks/${hook}`)).body)).not.toContain(
      'whsec_',
    );
    await api().ask('DELETE', `/stager/v1/webhooks/${hook}`);
  });

  it('give up after the last attempt, visibly, and start over when they are told to', async () => {
    const target = await receiver();
    stops.push(target.stop);
    const hook = guidIn(await newHook(api(), { url: target.url }));
    const source = await readyPackage(api(), await newApp(api()));
    target.answers.push(500, 500);
    await staged(api(), source);
    await delivered(api(), hook, [{ state: 'PENDING', attempts: 1 }]);
    await api().service.database.run('update webhook_deliveries set attempts = 14 where webhook_guid = $1', [
      hook,
    ]);
    await nextAttempt(api());
    const path = `/stager/v1/webhooks/${hook}/deliveries`;
    await delivered(api(), hook, [{ state: 'DEAD', last_status: 500 }]);
    const dead = await api().ask('GET', `${path}?state=DEAD`);
    const [{ guid } = { guid: '' }] = Object(dead.body['deliveries']);
    expect((await api().ask('POST', `${path}/${guid}/actions/retry`)).status).toBe(202);
    await delivered(api(), hook, [{ state: 'DELIVERED', attempts: 1 }]);
    expect((await api().ask('POST', `${path}/${guid}/actions/retry`)).status).toBe(404);
    await api().ask('DELETE', `/stager/v1/webhooks/${hook}`);
  });

  it('reach no private address unless an admin allowed that', async () => {
    const target = await receiver();
    stops.push(target.stop);
    const hook = guidIn(await newHook(api(), { url: target.url, allow_private: false }));
    await staged(api(), await readyPackage(api(), await newApp(api())));
    await delivered(api(), hook, [
      { state: 'PENDING', last_status: null, last_error: '127.0.0.1 is 127.0.0.1, which is not public' },
    ]);
    expect(target.received).toEqual([]);
    await api().ask('PATCH', `/stager/v1/webhooks/${hook}`, { body: { allow_private: true } });
    await nextAttempt(api());
    await expect.poll(() => target.received.length, PATIENCE).toBe(1);
    await api().ask('DELETE', `/stager/v1/webhooks/${hook}`);
  });

  it('list what ended after a number, for those who see the space, and stream it', async () => {
    const before = Number((await api().ask('GET', '/stager/v1/events')).body['next']);
    const source = await readyPackage(api(), await newApp(api()));
    const waits = await newApp(api(), { environment_variables: { FAKE: 'fail' } });
    const { body: good } = await staged(api(), source);
    const { body: bad } = await staged(api(), await readyPackage(api(), waits));
    const { body } = await api().ask('GET', `/stager/v1/events?after=${before}`, { as: 'space_developer' });
    expect(body['events']).toMatchObject([
      { build: { guid: good['guid'], state: 'STAGED' } },
      {
        build: {
          guid: bad['guid'],
          state: 'FAILED',
          error: expect.stringContaining('BuildpackCompileFailed'),
        },
      },
    ]);
    const hidden = await api().ask('GET', `/stager/v1/events?after=${before}`, { as: 'outsider' });
    expect(hidden.body['events']).toEqual([]);
    const stream = await fetch(`${api().url}/stager/v1/events/stream?after=${before}`, {
      headers: { authorization: `bearer ${api().world.users.admin.token}` },
    });
    let text = '';
    const reading = (async () => {
      for await (const chunk of stream.body ?? []) {
        text += Buffer.from(chunk).toString();
        if (text.split('event: build.ended').length === 4) return;
      }
    })();
    const { body: third } = await staged(api(), source);
    await reading;
    expect(text).toContain(String(third['guid']));
  });
});
