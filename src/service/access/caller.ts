/** The caller: what a verified token says, and nothing from the request itself. */

/** The caller of one request. Scopes are UAA's. */
export interface Caller {
  readonly kind: 'user' | 'client' | 'anonymous';
  /** Guid of the user, or the id of the client. */
  readonly guid: string;
  readonly name: string | null;
  readonly origin: string | null;
  readonly scopes: ReadonlySet<string>;
}

/** Nobody: for routes that ask for no token. */
export const ANONYMOUS: Caller = { kind: 'anonymous', guid: '', name: null, origin: null, scopes: new Set() };

/** May do everything. */
export function isAdmin(caller: Caller): boolean {
  return caller.scopes.has('cloud_controller.admin');
}

/** Sees every object, secrets excepted. */
export function seesEverything(caller: Caller): boolean {
  return isAdmin(caller) || isReadOnlyAdmin(caller) || caller.scopes.has('cloud_controller.global_auditor');
}

/** Sees every object, secrets included. */
export function isReadOnlyAdmin(caller: Caller): boolean {
  return caller.scopes.has('cloud_controller.admin_read_only');
}

/** Its token is good for requests of that method. */
export function hasScope(caller: Caller, method: string): boolean {
  if (isAdmin(caller)) return true;
  if (method !== 'GET' && method !== 'HEAD') return caller.scopes.has('cloud_controller.write');
  return seesEverything(caller) || caller.scopes.has('cloud_controller.read');
}
