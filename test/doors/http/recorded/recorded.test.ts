/** So that a change which would break a real client is noticed without it. */
import { beforeAll, describe, expect, it } from 'vitest';
import { createAccount } from '../../../../src/service/sign-in/accounts.ts';
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
