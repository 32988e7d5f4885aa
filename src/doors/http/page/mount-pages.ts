/** Adds the pages to the server: identifies the visitor, and shows failures to people. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import { ANONYMOUS, type Caller } from '../../../service/access/caller.ts';
import { baseOf } from '../route/base-url.ts';
import { CfError, errorAnswer } from '../route/cf-errors.ts';
import type { Answer, ServedRoute } from '../route/route.ts';
import type { HttpService } from '../route/service.ts';
import { traceOf } from '../route/telemetry.ts';
import { PAGES } from './all-pages.ts';
import { answerPage } from './layout.ts';
import { callerOfBrowser } from './session.ts';
import { seen } from './styled-text.ts';

/** What pages are served by. */
export interface PageMounting {
  readonly service: HttpService;
  readonly count: (request: FastifyRequest, reply: FastifyReply, caller: Caller) => Promise<void>;
}

/** Says on a page that there is none. */
export type AnswerUnknownPage = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** @returns what answers a browser that asked for what is not there. */
export async function addPages(server: FastifyInstance, mounting: PageMounting): Promise<AnswerUnknownPage> {
  await server.register(async (scope) => {
    const callers = new WeakMap<FastifyRequest, Caller>();
    const visitOf = (request: FastifyRequest) => ({
      caller: callers.get(request) ?? ANONYMOUS,
      service: mounting.service,
      request,
    });
    scope.setErrorHandler(async (error, request, reply) => {
      const { status, errors } = errorAnswer(error);
      if (status >= 500 && status !== 503 && !(error instanceof CfError)) {
        mounting.service.report(`${request.method} ${request.routeOptions.url ?? 'a page'}`, error);
      }
      const sentences = errors.map(({ detail }) => html`<p>${detail}</p>`);
      const title = TITLES.get(status) ?? 'Something went wrong';
      const main = html`<h1>${title}</h1>!${sentences}!${WAY_HOME}`;
      return await send(reply, answerPage(visitOf(request), { title, main, status }));
    });
    for (const page of PAGES) mountPage(page, { scope, callers, ...mounting });
  });
  return async (request, reply) => {
    const { service } = mounting;
    const caller = (await callerOfBrowser(request, service)) ?? ANONYMOUS;
    const main = html`<h1>Not found</h1><p>There is no page ${seen(request.url)}.</p>!${WAY_HOME}`;
    return await send(
      reply,
      answerPage({ caller, service, request }, { title: 'Not found', main, status: 404 }),
    );
  };
}

const WAY_HOME = html`<p><a href="/">Go to the apps</a></p>`;

const TITLES: ReadonlyMap<number, string> = new Map([
  [403, 'Not allowed'],
  [404, 'Not found'],
  [429, 'Too many requests'],
]);

function mountPage(
  page: ServedRoute,
  {
    scope,
    callers,
    service,
    count,
  }: PageMounting & {
    readonly scope: FastifyInstance;
    readonly callers: WeakMap<FastifyRequest, Caller>;
  },
): void {
  scope.route({
    method: page.method,
    url: page.path,
    schema: { hide: true },
    onRequest: async (request, reply) => {
      const caller = (await callerOfBrowser(request, service)) ?? ANONYMOUS;
      await count(request, reply, caller);
      callers.set(request, caller);
      if (page.access === 'anyone' || caller !== ANONYMOUS) return;
      // A link from elsewhere: the browser sends its cookie only when our own page asks for the same again.
      if (request.headers['sec-fetch-site'] === 'cross-site')
        return await send(reply, askAgain(request, service));
      return await reply.redirect(`/sign-in?next=${encodeURIComponent(request.url)}`, 303);
    },
    handler: async (request, reply) => {
      const { params, query, body } = request;
      const answer = await page.run(
        { params, query, body },
        {
          caller: callers.get(request) ?? ANONYMOUS,
          service,
          base: baseOf(request, service.settings),
          url: request.url,
          warn: () => undefined,
          trace: traceOf(request),
          request,
        },
      );
      return await send(reply, answer);
    },
  });
}

function askAgain(request: FastifyRequest, service: HttpService): Answer {
  const main = html`<h1>One moment</h1><p><a href="${request.url}">Continue</a></p>`;
  const headers = { refresh: '0' };
  return answerPage({ caller: ANONYMOUS, request, service }, { title: 'One moment', main, headers });
}

async function send(reply: FastifyReply, { status, headers = {}, stream }: Answer): Promise<FastifyReply> {
  return await reply.code(status).headers(headers).send(stream);
}
