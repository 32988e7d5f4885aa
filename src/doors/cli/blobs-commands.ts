/** `stager blobs …`: rows of command-table.ts. */
import { RETENTION } from '../../config/limits.ts';
import type { CommandSpec } from './command-spec.ts';

export const BLOBS: CommandSpec = {
  usage: 'blobs',
  summary: 'contents of the blobstore',
  commands: [
    {
      usage: 'ls [prefix]',
      load: async () => (await import('./commands/blobs.ts')).blobsList,
      summary: 'list blobs',
      settings: 'blobs',
    },
    {
      usage: 'get <key> <file>',
      load: async () => (await import('./commands/blobs.ts')).blobsGet,
      summary: 'write a blob to a file, verified; - is stdout',
      settings: 'blobs',
    },
    {
      usage: 'put <key> <file>',
      load: async () => (await import('./commands/blobs.ts')).blobsPut,
      summary: 'store a file as a blob; - is stdin',
      settings: 'blobs',
    },
    {
      usage: 'rm <key...>',
      load: async () => (await import('./commands/blobs.ts')).blobsRemove,
      summary: 'delete blobs',
      settings: 'blobs',
    },
    {
      usage: 'verify [prefix]',
      load: async () => (await import('./commands/blobs.ts')).blobsVerify,
      summary: 'read blobs and check their digests, and that packages are complete',
      settings: 'blobs',
    },
    {
      usage: 'repair',
      load: async () => (await import('./commands/blobs-repair.ts')).blobsRepair,
      summary: 'rebuild damaged indexes of the resource cache from what is stored',
      settings: 'blobs',
      options: [['--dry-run', 'only report what is wrong']],
    },
    {
      usage: 'gc',
      load: async () => (await import('./commands/blobs.ts')).blobsGc,
      summary: 'delete what retention does not keep',
      settings: 'blobs',
      options: [
        ['--dry-run', 'only report what would be deleted'],
        ['--keep-droplets <number>', `droplets kept for each app (default: ${RETENTION.keepDroplets})`],
        ['--keep-packages <number>', `packages kept for each app (default: ${RETENTION.keepPackages})`],
        [
          '--min-age <time>',
          `never delete anything younger than this (default: ${RETENTION.minAgeMs / 3_600_000}h)`,
        ],
      ],
    },
    {
      usage: 'du',
      load: async () => (await import('./commands/blobs.ts')).blobsUsage,
      summary: 'space used, by kind',
      settings: 'blobs',
    },
  ],
};
