/** Finds the resource that the path of a route names. */
import type { Caller } from '../../../service/access/caller.ts';
import { type Standing, standingInSpace } from '../../../service/access/standing.ts';
import type { Queries } from '../../../service/state/database.ts';
import type { Guid } from '../../../words/ids.ts';
import { notFound } from './cf-errors.ts';
import { demand, demandRead } from './demand.ts';
import type { Call } from './route.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>;
type Question = (standing: Standing) => boolean;

/** Three ways to the same row, each with 404 for who does not see it. */
export interface Finders<Row> {
  /** For whoever sees it. @throws CfError 404. */
  readonly visible: (asking: Asking, guid: Guid) => Promise<Row>;
  /** For what changes it. @throws CfError 404, 403. */
  readonly toChange: (asking: Asking, guid: Guid, may: Question) => Promise<Row>;
  /** For what reads more than everybody who sees it may. @throws CfError 404, 403. */
  readonly toRead: (asking: Asking, guid: Guid, may: Question) => Promise<Row>;
}

/** @param kind as the 404 calls it. */
export function finders<Row>(
  kind: string,
  find: (queries: Queries, caller: Caller, guid: Guid) => Promise<Row | undefined>,
  spaceOf: (row: Row) => Guid,
): Finders<Row> {
  const visible: Finders<Row>['visible'] = async ({ caller, service }, guid) => {
    const found = await find(service.database.queries, caller, guid);
    if (found === undefined) throw notFound(kind);
    return found;
  };
  const asked = async (
    asking: Asking,
    guid: Guid,
    { may, how }: { readonly may: Question; readonly how: typeof demand },
  ): Promise<Row> => {
    const found = await visible(asking, guid);
    how(may, await standingInSpace(asking.service.database.queries, asking.caller, spaceOf(found)));
    return found;
  };
  return {
    visible,
    toChange: (asking, guid, may) => asked(asking, guid, { may, how: demand }),
    toRead: (asking, guid, may) => asked(asking, guid, { may, how: demandRead }),
  };
}
