import type { Clock } from '../../words/clock.ts';
import type { Guid } from '../../words/ids.ts';
import type { Database } from '../state/database.ts';

export interface EndElsewhereParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly withinMs: number;
}

/** Settles when a build that another process runs is over, or after a while. */
export async function endElsewhere(
  { database, clock, withinMs }: EndElsewhereParts,
  build: Guid,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = async (): Promise<void> => {
    const row = await database.queries
      .selectFrom('builds')
      .select('state')
      .where('guid', '=', build)
      .executeTakeFirst();
    if (row?.state !== 'STAGING') resolve();
  };
  const unlisten = database.signals.listen((signal) => {
    if (signal.kind === 'changed' && signal.build === build) void look().catch(() => undefined);
  });
  const cancel = clock.schedule(withinMs, resolve);
  await look();
  await promise;
  cancel();
  unlisten();
}
