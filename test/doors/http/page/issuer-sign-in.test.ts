import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROUTES } from '../../../../src/doors/http/all-routes.ts';
import { createService } from '../../../../src/doors/http/create-service.ts';
import type { HttpService } from '../../../../src/doors/http/route/service.ts';
import { createServer } from '../../../../src/doors/http/server.ts';
import { openDatabase } from '../../../../src/service/state/database.ts';
import { CLIENT, type OidcProvider, startOidcProvider } from '../../../support/oidc-provider.ts';
import { type FakeMeans, fakeMeans } from '../support/staging.ts';
import { embeddedTemplate } from '../support/template.ts';
import { ACCEPT } from './browser.ts';

const SCOPES = 'openid cloud_controller.read cloud_controller.write';

let provider: OidcProvider;
let means: FakeMeans;
let service: HttpService;
let server: Awaited<ReturnType<typeof createServer>>;
let url = '';

beforeAll(async () => {
  [provider, means] = [await startOidcProvider(), await fakeMeans()];
  const database = await openDatabase({ memory: true, template: await embeddedTemplate() });
  const get = async (place: string) => {
    const reply = await fetch(place);
    return { status: reply.status, text: await reply.text() };
  };
  service = await createService({
    database,
    settings: { name: 'test', version: '0.0.0' },
    staging: means,
    issuer: {
      url: provider.url,
      audience: 'cloud_controller',
      get,
      page: {
        ...CLIENT,
        scopes: SCOPES,
        fetch: async (place, { method, headers, body }) =>
          await fetch(place, { method, headers, body: body instanceof URLSearchParams ? body : null }),
      },
    },
  });
  server = await createServer(service, { routes: ROUTES });
  url = await server.listen({ host: '127.0.0.1', port: 0 });
}, 600_000);

afterAll(async () => {
  await server.close();
  await service.deliveries.close();
  await service.staging.close();
  await service.jobs.close();
  await service.database.close();
  await means.remove();
  await provider.stop();
});

/** Follows nothing, and keeps cookies as long as it is told. */
class Visitor {
  readonly #cookies = new Map<string, string>();

  async open(place: string): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { accept: ACCEPT, ...(place.startsWith(url) && { cookie }) };
    const answer = await fetch(place, { redirect: 'manual', headers });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return answer;
  }

  /** @returns where the issuer sends it back to. */
  async comesBack(next = '/apps'): Promise<string> {
    const begun = await this.open(`${url}/sign-in/issuer?next=${encodeURIComponent(next)}`);
    const there = await this.open(begun.headers.get('location') ?? '');
    return there.headers.get('location') ?? '';
  }
}

const refused = async (answer: Response, words: string): Promise<void> => {
  expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining(words)]);
};

it('a browser signs in at the issuer, with PKCE, and goes on to where somebody wanted to go', async () => {
  const visitor = new Visitor();
  expect((await visitor.open(`${url}/apps?page=2`)).headers.get('location')).toBe(
    '/sign-in?next=%2Fapps%3Fpage%3D2',
  );
  const page = await (await visitor.open(`${url}/sign-in?next=/apps?page=2`)).text();
  expect(page).toContain('href="/sign-in/issuer?next=%2Fapps%3Fpage%3D2"');
  const back = await visitor.comesBack('/apps?page=2');
  expect(provider.asked.at(-1)).toMatchObject({
    response_type: 'code',
    client_id: CLIENT.id,
    scope: SCOPES,
    redirect_uri: `${url}/sign-in/back`,
    code_challenge_method: 'S256',
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    state: expect.stringMatching(/^[\w-]{43}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
  });
  const answer = await visitor.open(back);
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/apps?page=2']);
  expect(answer.headers.getSetCookie()).toEqual([
    'stager-sign-in=; Path=/sign-in; Max-Age=0; HttpOnly; SameSite=Lax',
    expect.stringMatching(/^stager=[\w.-]+; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/),
  ]);
  expect(await (await visitor.open(`${url}/apps`)).text()).toContain('ann');
});

it('what an issuer answered is good once, and only in the browser that asked', async () => {
  const visitor = new Visitor();
  const back = await visitor.comesBack();
  await refused(await new Visitor().open(back), 'This browser began no sign-in');
  const other = new Visitor();
  await other.comesBack();
  await refused(await other.open(back), 'not one to this sign-in');
  expect((await visitor.open(back)).status).toBe(303);
  await refused(await visitor.open(back), 'This browser began no sign-in');
});

it('a code that was changed, another state and another nonce are refused', async () => {
  const change = async (name: string): Promise<Response> => {
    const visitor = new Visitor();
    const back = new URL(await visitor.comesBack());
    back.searchParams.set(name, 'x'.repeat(43));
    return await visitor.open(back.href);
  };
  await refused(await change('code'), 'The issuer refused: invalid_grant');
  await refused(await change('state'), 'not one to this sign-in');
  provider.says.nonce = 'another';
  const visitor = new Visitor();
  await refused(await visitor.open(await visitor.comesBack()), 'not one to this sign-in');
  provider.says.nonce = undefined;
});

it('a sign-in that the issuer refuses, or whose token is for somebody else, says so on the page', async () => {
  const visitor = new Visitor();
  provider.says.refusal = 'access_denied';
  await refused(await visitor.open(await visitor.comesBack()), 'The issuer refused: access_denied');
  provider.says.refusal = undefined;
  provider.says.audience = 'somebody';
  await refused(await visitor.open(await visitor.comesBack()), 'not for this server');
  provider.says.audience = 'cloud_controller';
  expect((await visitor.open(`${url}/apps`)).status).toBe(303);
});

it('goes to no place but ours afterwards', async () => {
  const visitor = new Visitor();
  const answer = await visitor.open(await visitor.comesBack('https://evil.example/'));
  expect(answer.headers.get('location')).toBe('/');
});
