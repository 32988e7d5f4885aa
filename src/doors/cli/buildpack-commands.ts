/** `stager buildpack …`. */
import type { CommandSpec } from './command-spec.ts';

/** For commands on one of several installed buildpacks of a name. */
const WHICH_STACK = { stack: 'the one for this stack (default: the one without a stack)' } as const;

/** The commands of the group. */
export const BUILDPACK: CommandSpec = {
  usage: 'buildpack',
  summary: 'installed buildpacks, and tools for buildpack authors',
  commands: [
    {
      usage: 'list',
      load: async () => (await import('./commands/buildpacks.ts')).buildpackList,
      summary: 'installed buildpacks in detect order',
      settings: 'all',
    },
    {
      usage: 'add <name> <source>',
      load: async () => (await import('./commands/buildpacks.ts')).buildpackAdd,
      summary: 'install a buildpack from a directory, archive, URL or git URL',
      settings: 'buildpack',
      only: { stack: 'stack that it is for, if it does not name one itself', caFile: '' },
      options: [
        ['--position <number>', 'place in the detect order, from 1 (default: last)'],
        ['--disable', 'install it disabled'],
        ['--lock', 'refuse later updates of its content'],
        ['--sha256 <digest>', 'refuse a download with another digest'],
      ],
    },
    {
      usage: 'update <name> [source]',
      load: async () => (await import('./commands/buildpacks.ts')).buildpackUpdate,
      summary: 'replace the content or change position, state or name',
      settings: 'buildpack',
      only: { ...WHICH_STACK, caFile: '' },
      options: [
        ['--position <number>', 'new place in the detect order, from 1'],
        ['--enable', 'use it in detection again'],
        ['--disable', 'leave it out of detection'],
        ['--lock', 'refuse later updates of its content'],
        ['--unlock', 'allow updates again'],
        ['--rename <name>', 'give it another name'],
        ['--sha256 <digest>', 'refuse a download with another digest'],
      ],
    },
    {
      usage: 'show <name>',
      load: async () => (await import('./commands/buildpacks.ts')).buildpackShow,
      summary: 'everything known about a buildpack',
      settings: 'buildpack',
      only: WHICH_STACK,
    },
    {
      usage: 'remove <name>',
      load: async () => (await import('./commands/buildpacks.ts')).buildpackRemove,
      summary: 'remove a buildpack',
      settings: 'buildpack',
      only: WHICH_STACK,
    },
    {
      usage: 'new <name>',
      load: async () => (await import('./commands/buildpack-new.ts')).buildpackNew,
      withoutHome: true,
      summary: 'write the skeleton of a new buildpack with a test',
      settings: 'all',
      options: [
        ['--language <language>', 'sh or ts (default: sh)'],
        ['--dir <dir>', 'where to write it (default: ./<name>)'],
      ],
    },
    {
      usage: 'test <dir>',
      load: async () => (await import('./commands/buildpack-test.ts')).buildpackTest,
      summary: 'run a buildpack over its fixtures and check expectations',
      settings: 'buildpack',
      options: [
        ['--fixture <name>', 'only this fixture'],
        ['--update', 'write the actual results as the new expectations'],
        ['--trace', 'run shell buildpacks with set -x, and show all of their output'],
      ],
    },
    {
      usage: 'lint <dir>',
      load: async () => (await import('./commands/buildpack-lint.ts')).buildpackLint,
      withoutHome: true,
      summary: 'check a buildpack against the contract',
      settings: 'buildpack',
      only: { stack: 'stack in which to look for interpreters; default: host' },
    },
    {
      usage: 'package <dir>',
      load: async () => (await import('./commands/buildpack-package.ts')).buildpackPackage,
      summary: 'make a zip or a Cloud Native Buildpack, byte-identical each time',
      settings: 'buildpack',
      only: { stack: 'keep only the dependencies for this stack', caFile: '' },
      options: [
        ['--offline', 'include the dependencies'],
        ['--arch <arch>', 'keep only the dependencies for x64 or arm64'],
        ['--out <file>', 'file to write'],
        ['--cnb', 'make a Cloud Native Buildpack, a .cnb file'],
        ['--id <id>', 'its id, such as example/ruby (default: the name of the buildpack)'],
        ['--push <image>', 'push it as an image instead of writing a file'],
      ],
    },
  ],
};
