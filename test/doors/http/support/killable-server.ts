/**
 * `node killable-server.ts DIR [postgres://… [BLOBSTORE]]`: the endpoint as a process of its own over a directory that stays, with a
 * staging that runs no script. Says `{"url","token","refresh","space"}` when it listens; ends by kill -9 alone.
 */
import { join } from 'node:path';
import { ROUTES } from '../../../../src/doors/http/all-routes.ts';
import { createService } from '../../../../src/doors/http/create-service.ts';
import { createServer } from '../../../../src/doors/http/server.ts';
import { createAccount, findAccountByName } from '../../../../src/service/sign-in/accounts.ts';
import { startSession } from '../../../../src/service/sign-in/tokens.ts';
import { type Database, openDatabase } from '../../../../src/service/state/database.ts';
import { newGuid } from '../../../../src/words/ids.ts';
import { fakeMeans } from './staging.ts';

const [, , dir = '', address, blobstore] = process.argv;
const database = await openDatabase(
  address === undefined ? { dir: join(dir, 'database') } : { url: address },
);
const settings = { name: 'test', version: '0.0.0' };
const service = await createService({
  database,
  settings,
  staging: await fakeMeans(dir, blobstore),
  // Who has a blobstore elsewhere has workers elsewhere.
  ...(blobstore !== undefined && { work: { worker: undefined } }),
});
const server = await createServer(service, { routes: ROUTES });
const url = await server.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(
  `${JSON.stringify({ url, ...(await tokensOf(database)), space: await spaceOf(database) })}\n`,
);

async function tokensOf({ queries }: Database): Promise<object> {
  const scopes = ['cloud_controller.admin'];
  const account =
    (await findAccountByName(queries, 'killer')) ??
    (await createAccount(queries, { username: 'killer', scopes }));
  if (account === undefined || service.signIn.kind !== 'embedded') throw new Error('nobody to sign in');
  const parts = { queries, keys: service.signIn.keys, issuer: `${url}/uaa/oauth/token` };
  const { access_token, refresh_token } = await startSession(parts, { account, clientId: 'cf' });
  return { token: access_token, refresh: refresh_token };
}

async function spaceOf({ queries }: Database): Promise<string> {
  const found = await queries.selectFrom('spaces').select('guid').executeTakeFirst();
  if (found !== undefined) return found.guid;
  const [organization, space] = [newGuid(), newGuid()];
  await queries.transaction().execute(async (transaction) => {
    await transaction.insertInto('organizations').values({ guid: organization, name: 'acme' }).execute();
    await transaction
      .insertInto('spaces')
      .values({ guid: space, name: 'dev', organization_guid: organization })
      .execute();
  });
  return space;
}
