/** Audit events: who did what to which app. Values of variables and credentials are never written down. */
import { newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { json } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import type { App } from './apps.ts';

export interface AppEvent {
  /** Such as `audit.app.create`. */
  readonly type: string;
  readonly caller: Caller;
  readonly app: Pick<App, 'guid' | 'name' | 'space_guid'>;
  /** What was asked for; secrets are taken out. */
  readonly request?: object;
}

const HIDDEN = '[PRIVATE DATA HIDDEN]';
const SECRET_KEYS = new Set(['environment_variables', 'env', 'var', 'credentials', 'password']);

/** Writes events down. */
export class Audit {
  readonly #queries: Queries;

  constructor(queries: Queries) {
    this.#queries = queries;
  }

  async record({ type, caller, app, request }: AppEvent): Promise<void> {
    const space = this.#queries
      .selectFrom('spaces')
      .select('organization_guid')
      .where('guid', '=', app.space_guid);
    await this.#queries
      .insertInto('audit_events')
      .values({
        guid: newGuid(),
        type,
        actor_guid: caller.guid,
        actor_type: caller.kind === 'client' ? 'client' : 'user',
        actor_name: caller.name,
        target_guid: app.guid,
        target_type: 'app',
        target_name: app.name,
        data: json(request === undefined ? {} : { request: withoutSecrets(request) }),
        space_guid: app.space_guid,
        organization_guid: space,
      })
      .execute();
  }
}

function withoutSecrets(value: object): object {
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, SECRET_KEYS.has(key) ? HIDDEN : item]),
  );
}
