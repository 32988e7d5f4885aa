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
        'write the whole state of a server to one file, also while it runs over PostgreSQL; - is stdout',
      ...SETTINGS,
      options: [['--rows-only', 'without the blobs, for who copies the bucket otherwise']],
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
          summary: 'make an account; its password is STAGER_PASSWORD, or made up and shown',
          ...SETTINGS,
          options: [['--admin', 'may do everything']],
        },
        {
          usage: 'password <name>',
          load: async () => (await import('./commands/admin-users.ts')).adminUserPassword,
          summary: 'give an account another password, and sign it out',
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
      summary: 'what signs tokens',
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
          summary: 'make a new key; tokens of the old ones are taken until they end',
          ...SETTINGS,
          options: [['--forget-others', 'end all tokens: for a key that somebody else may have']],
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
      summary: 'let go at once what the servers let go every hour',
      settings: 'admin',
      only: { ...PLACE, caFile: '', keepDroplets: '', keepPackages: '', keepLogs: '' },
    },
    {
      usage: 'upkeep',
      load: async () => (await import('./commands/admin-upkeep.ts')).adminUpkeep,
      summary: 'what the servers did by themselves, newest first',
      ...SETTINGS,
    },
    {
      usage: 'reindex',
      load: async () => (await import('./commands/admin-upkeep.ts')).adminReindex,
      summary: 'rebuild the indexes of the database, and name rows whose bytes are gone',
      ...SETTINGS,
    },
  ],
};
