/** So that a change which would break a real client is noticed without it. */
import { beforeAll, describe, expect, it } from 'vitest';
import { createBuildpack } from '../../../../src/service/resources/buildpacks.ts';
import { ensureStacks } from '../../../../src/service/resources/stacks.ts';
import { createAccount } from '../../../../src/service/sign-in/accounts.ts';
import type { Queries } from '../../../../src/service/state/database.ts';
import { describeApi } from '../support/api.ts';
import { readRecording } from './recording.ts';
import { Replay } from './replay.ts';

const ADMIN = { username: 'replayer', password: 'correct-horse-battery' } as const;

const { client, commands } = readRecording('cf-8.json');

describeApi(`what ${client} sent`, (api) => {
  let replay: Replay;
  beforeAll(async () => {
    const { queries } = api().service.database;
    const scopes = ['cloud_controller.admin', 'scim.read', 'scim.write', 'uaa.admin'];
    const account = await createAccount(queries, { ...ADMIN, scopes });
    if (account === undefined) throw new Error('the name is taken');
    const user = { guid: account.guid, username: ADMIN.username, origin: 'uaa' };
    await queries.insertInto('users').values(user).execute();
    await seed(queries);
    replay = new Replay(api());
  });

  // Each needs what those before it made.
  describe('is answered with what it reads', () => {
    for (const { command, exchanges } of commands) {
      it(command, async () => {
        const wrong: string[] = [];
        for (const exchange of exchanges) wrong.push(...(await replay.exchange(exchange)));
        expect(wrong).toEqual([]);
      });
    }
  });
});

/** What `stager serve` has from its first start on. */
async function seed(queries: Queries): Promise<void> {
  const description = 'the machine itself';
  await ensureStacks(queries, [{ name: 'cflinuxfs4', description, rootfs: 'host', isDefault: true }]);
  for (const [index, name] of ['staticfile', 'nodejs', 'procfile', 'binary'].entries()) {
    const filename = `${name}_buildpack-v0.1.0.zip`;
    const content = { filename, version: '0.1.0', sha256: null, content_key: null, shipped_as: name };
    await createBuildpack(queries, { name: `${name}_buildpack`, position: index + 1 }, content);
  }
}
