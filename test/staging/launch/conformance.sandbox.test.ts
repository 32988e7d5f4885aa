/** Cases 42, 43 and 61 of buildpack-contracts.md section 7, in the real sandbox. */
import { chmod } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Selection } from '../../../src/machine/sandbox/select.ts';
import type { RunDirs } from '../../../src/staging/launch/layout.ts';
import { chownTree } from '../../support/chown-tree.ts';
import { openTestSandbox } from '../../support/open-sandbox.ts';
import { dropletOf, removeRun, requestFor, watchRun } from './support.ts';

const LAUNCHERS: ReadonlySet<string> = new Set(['Invoking pre-start scripts.', 'Invoking start command.']);
let selection: Selection;
const made: RunDirs[] = [];
beforeAll(async () => {
  selection = await openTestSandbox();
});
afterEach(async () => {
  for (const dirs of made.splice(0)) await removeRun(dirs);
});
afterAll(async () => {
  await selection.close();
});

/**
 * Runs the web process of a droplet of these files to its end; its lines without the launcher's own two, and the code.
 * What it said on the error stream may come before them: nobody orders two streams.
 */
async function launched(files: Readonly<Record<string, string>>, command?: string) {
  const dirs = await dropletOf(files);
  made.push(dirs);
  await chmod(dirs.root, 0o755);
  await chownTree(dirs.home, selection.sandbox.owner);
  const target = { kind: 'process', ...(command !== undefined && { command }) } as const;
  const { run, lines } = await watchRun(selection.sandbox, requestFor(dirs, { target }));
  const { exitCode } = await run.done;
  const said = lines().map((line) => line.replace('[APP/PROC/WEB/0] ', ''));
  expect(said).toEqual(expect.arrayContaining([...LAUNCHERS]));
  return { exitCode, said: said.filter((line) => !LAUNCHERS.has(line)) };
}

describe('the entrypoint prefix', () => {
  const files = (prefix: string) => ({
    'staging_info.yml': JSON.stringify({ start_command: 'run  "it"', config: { entrypoint_prefix: prefix } }),
    'profile.d/path.sh': 'export PATH=$DEPS_DIR/0/bin:$PATH',
    'deps/0/bin/wrap': '#!/bin/bash\necho "$# argument: $1"; exit 5\n',
  });

  it.each(['/home/vcap/deps/0/bin/wrap', 'wrap'])(
    '#42 that is %s gets the command as its argument',
    async (prefix) => {
      expect(await launched(files(prefix))).toEqual({ exitCode: 5, said: ['1 argument: run  "it"'] });
    },
  );

  it('#42 that is missing is not found, with 127', async () => {
    const { exitCode, said } = await launched(files('no-such-wrapper'));
    expect(exitCode).toBe(127);
    expect(said.join('\n')).toMatch(/no-such-wrapper: (command )?not found/);
  });
});

describe('staging_info.yml', () => {
  it.each([
    ['missing', undefined, 'NO_START_COMMAND'],
    ['without a command', '{"detected_buildpack":"x"}', 'NO_START_COMMAND'],
    ['no YAML', 'start_command: [', 'DROPLET_INVALID'],
  ])('#43 that is %s starts nothing', async (_what, text, code) => {
    const files = { 'app/x': '', ...(text !== undefined && { 'staging_info.yml': text }) };
    await expect(launched(files)).rejects.toMatchObject({ code });
  });

  it('#43 with tags that nobody knows in other keys gives the command', async () => {
    const text = 'start_command: echo tagged\nother: !ruby/object:Foo {a: b}\n';
    expect(await launched({ 'staging_info.yml': text })).toEqual({ exitCode: 0, said: ['tagged'] });
  });
});

describe('.profile.d', () => {
  it('#61 goes on after a script that returns', async () => {
    const files = {
      'app/.profile.d/0_returns.sh': 'export SEEN=0\n[ -n "$NEVER_SET" ] || return 3\nexport SEEN=never',
      'app/.profile.d/1_next.sh': 'export SEEN=$SEEN,1',
      'app/.profile': 'export SEEN=$SEEN,profile; return',
    };
    expect(await launched(files, 'echo $SEEN')).toEqual({ exitCode: 0, said: ['0,1,profile'] });
  });
});
