/** Audit events: who did what to what. Values of variables and credentials are never written down. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { json } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';

interface EventFacts {
  /** Such as `audit.app.create`. */
  readonly type: string;
  readonly caller: Caller;
  /** What was asked for; secrets are taken out. */
  readonly request?: object;
  /** What else it was about, such as the guid of a droplet. */
  readonly facts?: Readonly<Record<string, string | null>>;
}

/** Something done to an app, or to what an app has. */
export interface AppEvent extends EventFacts {
  readonly app: { readonly guid: Guid; readonly space_guid: Guid };
}

/** Something done to anything else. */
export interface TargetEvent extends EventFacts {
  readonly target: { readonly guid: string; readonly type: string; readonly name: string };
  /** Where it is: a space, an organization, or everywhere. */
  readonly space?: Guid | null;
  readonly organization?: Guid | null;
}

const HIDDEN = '[PRIVATE DATA HIDDEN]';
const SECRET_KEYS = new Set(['environment_variables', 'env', 'var', 'credentials', 'password']);

/** Writes events down. */
export class Audit {
  readonly #queries: Queries;

  constructor(queries: Queries) {
    this.#queries = queries;
  }

  async record({ app, ...event }: AppEvent): Promise<void> {
    const row = await this.#queries
      .selectFrom('apps')
      .select('name')
      .where('guid', '=', app.guid)
      .executeTakeFirst();
    const target = { guid: app.guid, type: 'app', name: row?.name ?? '' };
    await this.recordOn({ ...event, target, space: app.space_guid });
  }

  async recordOn(event: TargetEvent): Promise<void> {
    const { type, caller, target, space = null, organization = null, request, facts } = event;
    const organizationOfSpace = this.#queries
      .selectFrom('spaces')
      .select('organization_guid')
      .where('guid', '=', space ?? sql<Guid>`''`);
    await this.#queries
      .insertInto('audit_events')
      .values({
        guid: newGuid(),
        type,
        actor_guid: caller.guid,
        actor_type: caller.kind === 'client' ? 'client' : 'user',
        actor_name: caller.name,
        target_guid: target.guid,
        target_type: target.type,
        target_name: target.name,
        data: json({ ...facts, ...(request !== undefined && { request: withoutSecrets(request) }) }),
        space_guid: space,
        organization_guid: space === null ? organization : organizationOfSpace,
      })
      .execute();
  }
}

function withoutSecrets(value: object): object {
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => {
      if (SECRET_KEYS.has(key)) return [key, HIDDEN];
      const isMap = typeof item === 'object' && item !== null && !Array.isArray(item);
      return [key, isMap ? withoutSecrets(item) : item];
    }),
  );
}
