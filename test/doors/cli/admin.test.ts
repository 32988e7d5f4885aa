/** `stager admin` in this process, over PostgreSQL; where that is not installed, over the embedded database, which is slower. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { ADMIN } from '../../../src/doors/cli/admin-commands.ts';
import type { CommandSpec } from '../../../src/doors/cli/command-spec.ts';
import { createOutput } from '../../../src/doors/cli/terminal/output.ts';
import { type Database, openDatabase } from '../../../src/service/state/database.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { type PostgresServer, postgresMissing, startPostgres } from '../http/support/postgres.ts';

let home: string;
let data: string;
let server: PostgresServer | undefined;
let place: { readonly database?: string };
const space = newGuid();

/** What a server has made of one build that ended and a webhook that did not answer. */
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'stager-admin-'));
  data = join(home, 'serve');
  server = postgresMissing === undefined ? await startPostgres() : undefined;
  place = server === undefined ? {} : { database: server.migrated };
  const database = await open();
  const { queries } = database;
  const organization = newGuid();
  await queries.insertInto('organizations').values({ guid: organization, name: 'acme' }).execute();
  await queries
    .insertInto('spaces')
    .values({ guid: space, name: 'dev', organization_guid: organization })
    .execute();
  await database.close();
});
afterAll(async () => {
  await server?.stop();
  await rm(home, { recursive: true, force: true });
});

async function open(): Promise<Database> {
  const { database: url } = place;
  return await openDatabase(url === undefined ? { dir: join(data, 'database') } : { url });
}

interface Said {
  readonly exit: number;
  readonly text: string;
  /** Of --json. */
  readonly objects: readonly unknown[];
}

/** @param flags as the command line would hand them over. */
async function admin(
  path: string,
  args: readonly string[] = [],
  flags: Readonly<Record<string, string | boolean>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<Said> {
  const isJson = flags['json'] === true;
  const config = await loadConfig({
    flags: { home, data, ...place, ...flags },
    env: { HOME: home, ...env },
    cwd: home,
  });
  let text = '';
  const write = (piece: string): boolean => {
    text += piece;
    return true;
  };
  const stream = { write };
  const output = createOutput({ json: isJson, noColor: true, stdout: stream, stderr: stream });
  const action = await specOf(path).load?.();
  if (action === undefined) throw new Error(`${path} does nothing`);
  const stager = () => Promise.reject(new Error('not that of the data home'));
  const signal = new AbortController().signal;
  const exit = await action({ args, afterDashes: [], flags, config, output, signal, stager });
  const lines = text.split('\n').filter((line) => line !== '');
  return { exit, text, objects: isJson ? lines.map((line): unknown => JSON.parse(line)) : [] };
}

function specOf(path: string): CommandSpec {
  let found: CommandSpec = ADMIN;
  for (const word of path.split(' ')) {
    const next = found.commands?.find(({ usage }) => usage.split(' ')[0] === word);
    if (next === undefined) throw new Error(`no command ${path}`);
    found = next;
  }
  return found;
}

it('users are added, listed, given a password and removed', async () => {
  const added = await admin('users add', ['alice'], { admin: true, json: true });
  expect(added.objects).toEqual([
    { type: 'user-added', username: 'alice', password: expect.stringMatching(/^.{24}$/) },
  ]);
  await expect(admin('users add', ['alice'])).rejects.toMatchObject({ code: 'USAGE' });
  expect((await admin('users list')).text).toMatch(/^alice +admin +active$/m);
  // A password that was given is not shown.
  const changed = await admin('users password', ['alice'], {}, { STAGER_PASSWORD: 'correct-horse' });
  expect(changed.text).toBe('alice has a new password and is signed out\n');
  expect((await admin('users remove', ['alice'])).text).toBe('alice removed\n');
  await expect(admin('users remove', ['alice'])).rejects.toMatchObject({
    message: 'there is no account alice',
  });
});

it('keys are rotated; with --forget-others one is left', async () => {
  await admin('keys rotate');
  const second = await admin('keys rotate', [], { json: true });
  const listed = await admin('keys list', [], { json: true });
  expect(listed.objects).toHaveLength(2);
  expect(listed.objects[0]).toMatchObject({ kid: Object(second.objects[0]).kid });
  await admin('keys rotate', [], { forgetOthers: true });
  expect((await admin('keys list')).text).toMatch(/^\S+ +\S+ +signs\n$/);
});

it('webhooks are made, listed, given another secret and deleted', async () => {
  const made = await admin('webhooks create', ['ci', 'https://ci.example.com/x'], { json: true });
  expect(made.objects).toEqual([
    { type: 'webhook-made', name: 'ci', secret: expect.stringMatching(/^whsec_/) },
  ]);
  await admin('webhooks create', ['of-dev', 'http://10.0.0.1/'], { onlySpace: space, allowPrivate: true });
  await admin('webhooks rotate', ['ci'], { overlap: '2h' });
  const listed = await admin('webhooks list', [], { json: true });
  expect(listed.objects).toMatchObject([
    { name: 'ci', space: null, secrets: 2, allow_private: false, pending: 0, dead: 0 },
    { name: 'of-dev', space, secrets: 1, allow_private: true },
  ]);
  expect(JSON.stringify(listed.objects)).not.toContain('whsec_');
  expect((await admin('webhooks delete', ['of-dev'])).text).toBe('of-dev deleted\n');
  expect((await admin('webhooks list')).text).toMatch(/^ci .*all spaces.*0 waiting, 0 dead\n$/);
});

it('webhooks that can not be are refused, with what to do', async () => {
  const attempts: readonly (readonly [string, readonly string[], Record<string, string>, string])[] = [
    ['create', ['ci', 'https://elsewhere.example.com'], {}, 'there is a webhook ci'],
    ['create', ['x', 'ftp://ci.example.com'], {}, 'must be an address with http'],
    ['create', ['x', 'https://me:secret@ci.example.com'], {}, 'must not hold credentials'],
    ['create', ['x', 'https://ci.example.com'], { onlySpace: newGuid() }, 'there is no space'],
    ['rotate', ['ci'], { overlap: '99999h' }, 'not a time of at most 720h'],
    ['rotate', ['none'], {}, 'there is no webhook none'],
    ['redeliver', ['none'], {}, 'there is no webhook none'],
  ];
  for (const [command, args, flags, message] of attempts) {
    await expect(admin(`webhooks ${command}`, args, flags)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(message),
      next: expect.stringMatching(/./),
    });
  }
});

it('what a webhook was not told is sent again', async () => {
  const database = await open();
  const { queries } = database;
  const { guid } = await queries.selectFrom('webhooks').select('guid').executeTakeFirstOrThrow();
  const { id } = await queries
    .insertInto('build_ends')
    .values({ build_guid: newGuid(), app_guid: newGuid(), app_name: 'a', space_guid: space, state: 'STAGED' })
    .returning('id')
    .executeTakeFirstOrThrow();
  await queries
    .insertInto('webhook_deliveries')
    .values({ guid: newGuid(), webhook_guid: guid, build_end_id: id, state: 'DEAD', attempts: 15 })
    .execute();
  await database.close();
  expect((await admin('webhooks list')).text).toContain('0 waiting, 1 dead');
  expect((await admin('webhooks redeliver', ['ci'])).text).toBe('ci is sent 1 delivery again\n');
  expect((await admin('webhooks list')).text).toContain('1 waiting, 0 dead');
});

it('retention does at once what servers do every hour, and leaves a record of it', async () => {
  const { exit, text } = await admin('retention');
  expect(exit).toBe(0);
  expect(text.split('\n').length).toBeGreaterThan(4);
  expect((await admin('upkeep')).text).toMatch(/ done .*\(stager admin\)/);
  expect((await admin('reindex', [], { json: true })).objects).toMatchObject([{ lost: [] }]);
});

it('a place where no server was is named', async () => {
  place = {};
  await expect(admin('users list', [], { data: join(home, 'elsewhere') })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('elsewhere'),
  });
});
