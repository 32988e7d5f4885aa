/** `stager admin …`: rows of command-table.ts. */
import type { CommandSpec } from './command-spec.ts';

/** Where the state of the server is. */
const PLACE = { data: 'data directory of the server', database: '', blobstore: '' } as const;
const SETTINGS = { settings: 'admin', only: { ...PLACE, caFile: '' } } as const;

export const ADMIN: CommandSpec = {
  usage: 'admin',
  summary: 'the state of a server: users, keys, retention, export and import',
  commands: [
    {
      usage: 'export <file>',
      load: async () => (await import('./commands/admin-state.ts')).adminExport,
      summary:
        'write the whole state of a server to one file; with PostgreSQL the server may keep running; - is stdout',
      ...SETTINGS,
      options: [['--rows-only', 'leave out the blobs, if you copy the bucket some other way']],
      after: `
The file holds password hashes, keys and variables of apps: keep it as you keep those.

Examples:
  stager admin export --data /var/lib/stager/serve backup.tar
  stager admin export --database postgres://user@host/stager --blobstore s3://bucket - | zstd >backup.tar.zst`,
    },
    {
      usage: 'import <file>',
      load: async () => (await import('./commands/admin-state.ts')).adminImport,
      summary: 'read an export into a new database and a new blobstore; - is stdin',
      ...SETTINGS,
    },
    {
      usage: 'users',
      summary: 'who can sign in',
      commands: [
        {
          usage: 'list',
          load: async () => (await import('./commands/admin-users.ts')).adminUserList,
          summary: 'list accounts',
          ...SETTINGS,
        },
        {
          usage: 'add <name>',
          load: async () => (await import('./commands/admin-users.ts')).adminUserAdd,
          summary: 'create an account; set its password in STAGER_PASSWORD, or one is generated and shown',
          ...SETTINGS,
          options: [['--admin', 'let the account do everything']],
        },
        {
          usage: 'password <name>',
          load: async () => (await import('./commands/admin-users.ts')).adminUserPassword,
          summary: 'change the password of an account, and sign it out',
          ...SETTINGS,
        },
        {
          usage: 'remove <name>',
          load: async () => (await import('./commands/admin-users.ts')).adminUserRemove,
          summary: 'remove an account',
          ...SETTINGS,
        },
      ],
    },
    {
      usage: 'keys',
      summary: 'keys that sign tokens',
      commands: [
        {
          usage: 'list',
          load: async () => (await import('./commands/admin-users.ts')).adminKeyList,
          summary: 'list keys',
          ...SETTINGS,
        },
        {
          usage: 'rotate',
          load: async () => (await import('./commands/admin-users.ts')).adminKeyRotate,
          summary: 'create a new key; tokens of the old ones stay valid until they expire',
          ...SETTINGS,
          options: [['--forget-others', 'end all tokens, in case somebody else has a key']],
        },
      ],
    },
    {
      usage: 'webhooks',
      summary: 'who is told when a build ends',
      commands: [
        {
          usage: 'list',
          load: async () => (await import('./commands/admin-webhooks.ts')).adminWebhookList,
          summary: 'list webhooks, with what waits for each and what was given up',
          ...SETTINGS,
        },
        {
          usage: 'create <name> <url>',
          load: async () => (await import('./commands/admin-webhooks.ts')).adminWebhookCreate,
          summary: 'make a webhook; its secret is shown this once',
          ...SETTINGS,
          options: [
            ['--only-space <guid>', 'told of the builds of this space only'],
            ['--allow-private', 'its address may be one of a private network, or of this machine'],
          ],
        },
        {
          usage: 'rotate <name>',
          load: async () => (await import('./commands/admin-webhooks.ts')).adminWebhookRotate,
          summary: 'give a webhook a new secret',
          ...SETTINGS,
          options: [['--overlap <time>', 'how long the ones before sign as well (default: 24h)']],
        },
        {
          usage: 'redeliver <name>',
          load: async () => (await import('./commands/admin-webhooks.ts')).adminWebhookRedeliver,
          summary: 'send again what was given up',
          ...SETTINGS,
        },
        {
          usage: 'delete <name>',
          load: async () => (await import('./commands/admin-webhooks.ts')).adminWebhookDelete,
          summary: 'delete a webhook with what waits for it',
          ...SETTINGS,
        },
      ],
    },
    {
      usage: 'retention',
      load: async () => (await import('./commands/admin-upkeep.ts')).adminRetention,
      summary: 'do now what the servers do every hour: remove what is no longer kept',
      settings: 'admin',
      only: { ...PLACE, caFile: '', keepDroplets: '', keepPackages: '', keepLogs: '' },
    },
    {
      usage: 'upkeep',
      load: async () => (await import('./commands/admin-upkeep.ts')).adminUpkeep,
      summary: 'what the servers did on their own, newest first',
      ...SETTINGS,
    },
    {
      usage: 'reindex',
      load: async () => (await import('./commands/admin-upkeep.ts')).adminReindex,
      summary: 'rebuild the indexes of the database, and list rows whose bytes are gone',
      ...SETTINGS,
    },
  ],
};
