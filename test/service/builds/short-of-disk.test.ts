import { afterAll, beforeAll, expect, it } from 'vitest';
import { StagingService } from '../../../src/service/builds/staging-service.ts';
import { listWorkers } from '../../../src/service/queue/workers.ts';
import { type Database, openDatabase } from '../../../src/service/state/database.ts';
import { type Guid, newGuid } from '../../../src/words/ids.ts';
import { type FakeMeans, fakeMeans } from '../../doors/http/support/staging.ts';
import { embeddedTemplate } from '../../doors/http/support/template.ts';
import { PATIENT_MS } from '../support/two-databases.ts';

let database: Database;
let means: FakeMeans;
beforeAll(async () => {
  database = await openDatabase({ memory: true, template: await embeddedTemplate() });
  means = await fakeMeans();
}, PATIENT_MS);
afterAll(async () => {
  await database.close();
  await means.remove();
});

/** A build of a package that is not there: whoever takes it ends it. */
async function newBuild({ queries, queue }: Database): Promise<Guid> {
  const [organization, space, app, guid] = [newGuid(), newGuid(), newGuid(), newGuid()];
  await queries.insertInto('organizations').values({ guid: organization, name: organization }).execute();
  await queries
    .insertInto('spaces')
    .values({ guid: space, name: 'dev', organization_guid: organization })
    .execute();
  await queries.insertInto('apps').values({ guid: app, name: 'app', space_guid: space }).execute();
  await queries
    .insertInto('builds')
    .values({
      guid,
      app_guid: app,
      package_guid: newGuid(),
      state: 'STAGING',
      lifecycle_type: 'buildpack',
      lifecycle_data: JSON.stringify({ buildpacks: [], stack: 'cflinuxfs4' }),
      staging_memory_in_mb: 100,
      staging_disk_in_mb: 100,
      created_by: '{}',
    })
    .execute();
  await queue.add('builds', guid, queries);
  return guid;
}

it('a worker takes no builds while its disk is nearly full, says why, and takes them when there is room', async () => {
  const { queries } = database;
  means.noRoom = 'the disk of /var/stager has 1.0 MiB left, and 512 MiB are its reserve';
  const build = await newBuild(database);
  const staging = new StagingService(database, means, () => undefined, {
    work: { worker: { name: 'one', version: '1', capacity: { slots: 2 } } },
  });
  const row = async () =>
    await queries
      .selectFrom('builds')
      .select(['state', 'claimed_by', 'wait_reason'])
      .where('guid', '=', build)
      .executeTakeFirstOrThrow();
  const shown = async (): Promise<string | null | undefined> =>
    (await listWorkers(queries))[0]?.short_of_disk;
  await staging.start();
  try {
    staging.worker.wake();
    await staging.worker.idle();
    expect(await shown()).toBe(means.noRoom);
    await expect
      .poll(row, { timeout: PATIENT_MS })
      .toEqual({ state: 'STAGING', claimed_by: null, wait_reason: expect.stringMatching(/nearly full$/) });
    means.noRoom = undefined;
    staging.worker.wake();
    await staging.worker.idle();
    expect(await row()).toMatchObject({ state: 'FAILED' });
    expect(await shown()).toBeNull();
  } finally {
    await staging.close();
  }
});
