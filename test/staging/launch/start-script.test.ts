import { afterEach, describe, expect, it } from 'vitest';
import type { RunDirs } from '../../../src/staging/launch/layout.ts';
import { PRE_START_MESSAGE, START_MESSAGE, shellCommand } from '../../../src/staging/launch/start-script.ts';
import { shellQuote } from '../../../src/words/shell.ts';
import { HostSandbox } from '../../support/host-sandbox.ts';
import { dropletOf, removeRun, requestFor, watchRun } from './support.ts';

let dirs: RunDirs | undefined;

afterEach(async () => {
  if (dirs !== undefined) await removeRun(dirs);
});

/** Runs the droplet's web process to its end; text of its lines, and its exit code. */
async function launch(files: Readonly<Record<string, string>>, command: string) {
  dirs = await dropletOf(files);
  const request = requestFor(dirs, { target: { kind: 'process', command } });
  const watched = await watchRun(new HostSandbox(), request);
  const { exitCode } = await watched.run.done;
  const home = dirs.home;
  return {
    exitCode,
    lines: watched
      .lines()
      .map((line) => line.replace('[APP/PROC/WEB/0] ', '').replaceAll(home, '/home/vcap')),
  };
}

describe('launch script', () => {
  it('#40 sources ../profile.d, .profile.d and .profile in this order, then runs the command', async () => {
    const { lines, exitCode } = await launch(
      {
        'profile.d/10-b.sh': 'echo platform b; export SEEN=$SEEN"2"',
        'profile.d/0-a': 'echo platform a; export SEEN=$SEEN"1"',
        'app/.profile.d/z.zsh': 'echo app z; export SEEN=$SEEN"3"',
        'app/.profile': 'echo profile; export SEEN=$SEEN"4"',
      },
      'echo command sees $SEEN in $PWD; exit 7',
    );
    expect(lines).toEqual([
      PRE_START_MESSAGE,
      'platform a',
      'platform b',
      'app z',
      'profile',
      START_MESSAGE,
      'command sees 1234 in /home/vcap/app',
    ]);
    expect(exitCode).toBe(7);
  });

  it.each([
    ['app/.profile', 'exit 3', 3],
    ['app/.profile.d/a.sh', 'set -e; false', 1],
    ['profile.d/x', 'set -u; echo $NOBODY_SET_IT', 127],
  ])('names %s when it ends the process with %j', async (name, text, code) => {
    const { lines, exitCode } = await launch({ [name]: text }, 'echo never');
    expect(exitCode).toBe(code);
    expect(lines.at(-1)).toContain(
      `/home/vcap/${name} ended the process with ${code}, before the start command`,
    );
    expect(lines).not.toContain('never');
  });

  it.each([
    ['absent', {}],
    ['empty', { 'profile.d/.keep': 'echo hidden files are not scripts', 'app/.profile.d/.keep': '' }],
    ['holding directories only', { 'profile.d/sub/x.sh': 'echo no', 'app/.profile.d/sub/x.sh': 'echo no' }],
  ])('#40 gives no error when the script directories are %s', async (_what, files) => {
    const { lines, exitCode } = await launch(files, 'echo command');
    expect(lines).toEqual([PRE_START_MESSAGE, START_MESSAGE, 'command']);
    expect(exitCode).toBe(0);
  });

  it('sources scripts whose names hold blanks, quotes and stars', async () => {
    const { lines } = await launch(
      {
        'profile.d/a b.sh': 'echo blank',
        "profile.d/it's *.sh": 'echo quote',
        'app/.profile.d/x\ny': 'echo feed',
      },
      'true',
    );
    expect(lines).toEqual([PRE_START_MESSAGE, 'blank', 'quote', 'feed', START_MESSAGE]);
  });

  it('goes on after a script that returns, changes the directory, the parameters or the variables', async () => {
    const { lines } = await launch(
      {
        'profile.d/1': 'echo one; return 3; echo never',
        'profile.d/2': 'echo two; cd /; set -- x y; stager_script=; command=; app=',
        'profile.d/3': 'echo three',
        'app/.profile.d/4': 'echo four',
        'app/.profile': 'echo five; return',
      },
      'echo six',
    );
    expect(lines).toEqual([PRE_START_MESSAGE, 'one', 'two', 'three', 'four', 'five', START_MESSAGE, 'six']);
  });

  it('gives the command what a script left: variables, functions that are exported, the directory', async () => {
    const { lines } = await launch(
      { 'app/sub/x': '', 'app/.profile': 'cd sub; greet() { echo hello $1; }; export -f greet' },
      'greet $(ls); echo "$PWD"',
    );
    expect(lines.slice(2)).toEqual(['hello x', '/home/vcap/app/sub']);
  });

  it('becomes the command: nothing of the launcher stays between it and its signals', async () => {
    const { lines } = await launch({}, 'exec ps -o comm= -p $$');
    expect(lines.at(-1)).toBe('ps');
  });

  it('ends with the code of a script that exits', async () => {
    const { lines, exitCode } = await launch({ 'app/.profile': 'echo bye; exit 9' }, 'echo never');
    expect(lines.slice(0, 2)).toEqual([PRE_START_MESSAGE, 'bye']);
    expect(exitCode).toBe(9);
  });

  it('passes a command of several lines with every kind of quote', async () => {
    const { lines } = await launch({}, `echo 'a  b' "c'd" \\"\necho $((1+1)) \`echo e\``);
    expect(lines.slice(2)).toEqual([`a  b c'd "`, '2 e']);
  });

  it('passes the longest command, made of nothing but quotes', async () => {
    const command = `echo ${'""'.repeat(4)}${"''".repeat(12_000)}`;
    const { lines, exitCode } = await launch({}, command);
    expect(lines.slice(2)).toEqual(['']);
    expect(exitCode).toBe(0);
  });

  it.each([
    ['absolute', '/home/vcap/app/wrap'],
    ['on PATH', 'wrap'],
    ['with arguments', 'env WRAPPED=1 wrap'],
    ['a path with blanks', '/home/vcap/app/with blanks/wrap'],
  ])('#42 gives the command as one argument to an entrypoint prefix: %s', async (_what, prefix) => {
    const { lines, exitCode } = await launch(
      {
        'staging_info.yml': JSON.stringify({ config: { entrypoint_prefix: prefix } }),
        'app/.profile': 'PATH=$HOME:$PATH',
        'app/wrap': '#!/bin/bash\necho "$# arguments: $1"; exit 5',
        'app/with blanks/wrap': '#!/bin/bash\necho "$# arguments: $1"; exit 5',
      },
      'bundle exec "x  y" && true',
    );
    expect(lines.at(-1)).toBe('1 arguments: bundle exec "x  y" && true');
    expect(exitCode).toBe(5);
  });

  it('#42 ends with 127 when the entrypoint prefix is missing', async () => {
    const { lines, exitCode } = await launch(
      { 'staging_info.yml': '{"config":{"entrypoint_prefix":"no-such-wrapper"}}' },
      'echo never',
    );
    expect(lines.at(-1)).toMatch(/no-such-wrapper: (command )?not found/);
    expect(exitCode).toBe(127);
  });

  it('quotes words so that a shell reads them back', async () => {
    const words = ['a b', "it's", '$HOME', '', 'x\ny', '*', '"'];
    const { lines } = await launch({}, `printf '<%s>\\n' ${words.map(shellQuote).join(' ')}`);
    expect(lines.slice(2).join('\n')).toBe(words.map((word) => `<${word}>`).join('\n'));
  });

  it('takes one word after -- as shell text and several as a command with arguments', () => {
    expect(shellCommand(['echo $HOME | wc'])).toBe('echo $HOME | wc');
    expect(shellCommand(['echo', '$HOME', 'a b'])).toBe(`echo '$HOME' 'a b'`);
  });
});
