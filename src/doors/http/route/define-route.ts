/** Makes a {@link ServedRoute} of a typed specification: the one place where unchecked input becomes checked. */
import { z } from 'zod';
import { checkBody, checkParams, checkQuery } from './input.ts';
import type { Answers, RouteSpec, ServedRoute } from './route.ts';

/** @param spec without `params`, `query` or `body` a route takes none; a body is ignored then, as CC does. */
export function route<A extends Answers, Params = unknown, Query = unknown, Body = unknown>(
  spec: RouteSpec<Params, Query, Body, A>,
): ServedRoute {
  const { handle, params, query, body, ...rest } = spec;
  const checked = {
    params: params ?? z.custom<Params>(() => true),
    query: query ?? z.custom<Query>(isEmpty, { error: 'this endpoint takes none' }),
    body: body ?? z.custom<Body>(() => true),
  };
  return {
    ...rest,
    ...(params !== undefined && { params }),
    ...(query !== undefined && { query }),
    ...(body !== undefined && { body }),
    run: async (input, context) =>
      await handle({
        ...context,
        params: checkParams(checked.params, input.params),
        query: checkQuery(checked.query, input.query),
        body: checkBody(checked.body, input.body),
      }),
  };
}

function isEmpty(value: unknown): boolean {
  return typeof value !== 'object' || value === null || Object.keys(value).length === 0;
}
