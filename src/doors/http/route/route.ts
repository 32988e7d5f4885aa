/**
 * A route as data: what it takes, what it answers, who may call, and the function that answers. Routes are listed in
 * routes.ts; the server, the OpenAPI document, the compatibility page and the permission tests all read that list.
 */
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Caller } from '../../../service/access/caller.ts';
import type { BuildTrace } from '../../../service/state/schema-apps.ts';
import type { HttpService } from './service.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

/** `anyone` needs no token; `signed-in` needs one, below `/v3` with Cloud Controller's read or write scope. */
export type Access = 'anyone' | 'signed-in';

/** How a body arrives: parsed JSON, text (YAML), form fields, or a stream that the route reads itself. */
export type BodyKind = 'json' | 'text' | 'form' | 'stream';

/** What a route is called with: everything checked already. */
export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  readonly service: HttpService;
  /** `https://host:port`, as the caller reached us: links in answers begin with it. */
  readonly base: string;
  /** Path and query as asked for. */
  readonly url: string;
  /** Adds a line to X-Cf-Warnings. */
  warn(text: string): void;
  /** What a build keeps of this request. */
  readonly trace: BuildTrace;
  /** For routes that read the body as a stream. */
  readonly request: FastifyRequest;
}

/** What a route answers: a JSON body by the schema of its status, bytes, or nothing. */
export interface Answer<Body = unknown> {
  readonly status: number;
  readonly body?: Body;
  readonly stream?: Readable;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** status → schema of its body; `bytes` for a stream, null for none. */
export type Answers = Readonly<Record<number, z.ZodType | 'bytes' | null>>;

/** The bodies that these answers may have. */
type BodyOf<A extends Answers> = {
  [Status in keyof A]: A[Status] extends z.ZodType ? z.input<A[Status]> : undefined;
}[keyof A];

/** See the top of the file. */
export interface RouteSpec<Params, Query, Body, A extends Answers> {
  readonly method: Method;
  /** `/v3/organizations/:guid`. */
  readonly path: `/${string}`;
  /** One sentence, imperative. */
  readonly summary: string;
  readonly access: Access;
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  /** Default json. */
  readonly bodyKind?: BodyKind;
  /** Bytes; default 1 MiB. */
  readonly bodyLimit?: number;
  readonly answers: A;
  handle(call: Call<Params, Query, Body>): Promise<Answer<BodyOf<A>>>;
}

/** A route whose types were checked where it was declared. */
export interface ServedRoute
  extends Omit<RouteSpec<never, never, never, Answers>, 'params' | 'query' | 'body' | 'handle'> {
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Checks what came in, then answers. */
  run(input: RawInput, context: CallContext): Promise<Answer>;
}

/** What came in, unchecked. */
export interface RawInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** The rest of a {@link Call}. */
export type CallContext = Omit<Call<unknown, unknown, unknown>, 'params' | 'query' | 'body'>;
