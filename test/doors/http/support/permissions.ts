/**
 * Who may call a route, as data: permissions.test.ts asks as every user and compares. A row says who gets the route's
 * own status, who sees the object but is forbidden (403), and what everybody else gets.
 */
import type { Api } from './api.ts';
import type { Actor, SignedIn } from './world.ts';

export interface PermissionRow {
  /** Status of success. */
  readonly status: number;
  /** Who gets it; `everyone` is who has a token. */
  readonly may: readonly SignedIn[] | 'everyone' | 'anyone';
  /** Who is told no: 403. */
  readonly forbidden?: readonly SignedIn[];
  /** What the others are told; default 404, as if it were not there. */
  readonly others?: 403 | 404 | 422;
  /** For lists: who finds this guid among the resources. The rest get a list without it. */
  readonly sees?: readonly Actor[];
  readonly listed?: (api: Api) => Promise<string> | string;
  /** A request that would work for whoever may. Called again once somebody changed something by it. */
  readonly request: (api: Api) => Promise<PermissionRequest> | PermissionRequest;
}

export interface PermissionRequest {
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `GET /v3/organizations/:guid` → its row. */
export type PermissionTable = Readonly<Record<string, PermissionRow>>;
