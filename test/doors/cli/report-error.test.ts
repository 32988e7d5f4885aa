import { describe, expect, it } from 'vitest';
import { createOutput } from '../../../src/doors/cli/terminal/output.ts';
import { reportError } from '../../../src/doors/cli/terminal/report-error.ts';
import { StagerError } from '../../../src/words/errors.ts';

function told(error: unknown, options: { readonly json?: boolean } = {}) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    write: (text: string): boolean => {
      written[name] += text;
      return true;
    },
  });
  const output = createOutput({
    ...options,
    noColor: true,
    stdout: stream('stdout'),
    stderr: stream('stderr'),
  });
  return { exit: reportError(error, output), ...written };
}

describe('a failure', () => {
  it('is told with code, culprit, phase, hints and what to do next', () => {
    const error = new StagerError('SUPPLY_FAILED', 'bin/supply ended with 7', {
      phase: 'supply[0] ruby',
      next: 'Read the lines above.',
      details: { hints: ['one folder'] },
    });
    expect(told(error)).toEqual({
      exit: 225,
      stdout: '',
      stderr:
        'error SUPPLY_FAILED (buildpack) in supply[0] ruby: bin/supply ended with 7\n  hint: one folder\n  Read the lines above.\n',
    });
  });

  it('cannot send control sequences to a terminal', () => {
    const evil = 'a\u001b]0;owned\u0007\u009b2Jb';
    const tries = [{ buildpack: evil, outcome: evil, firstLine: `${evil}\nsecond`, durationMs: 1 }];
    const { stderr } = told(
      new StagerError('NO_APP_DETECTED', evil, { next: evil, details: { hints: [evil], tries } }),
    );
    expect(stderr).toContain('a\\x1b]0;owned\\x07\\x9b2Jb');
    expect(stderr.replaceAll('\n', '')).toMatch(/^\P{Cc}+$/u);
    expect(stderr.split('\n')).toHaveLength(6);
  });

  it.each([
    ['ENOSPC', 'HOST_DISK_FULL', 53],
    ['EROFS', 'CONFIG_INVALID', 2],
    ['EACCES', 'CONFIG_INVALID', 2],
  ])('of the system with %s is the operator’s to fix, not a bug', (code, expected, exit) => {
    const error = Object.assign(new Error(`${code}: write '/data/x'`), { code });
    const { stderr, exit: ended } = told(error);
    expect(stderr).toMatch(new RegExp(`^error ${expected} \\(operator\\): .*/data/x`));
    expect(ended).toBe(exit);
  });

  it('about a stack is not a bug', () => {
    const error = new StagerError('STACK_NOT_FOUND', 'there is no stack "x"', { details: { stack: 'x' } });
    expect(told(error).stderr).toMatch(/^error STACK_NOT_FOUND \(operator\): there is no stack "x"\n/);
  });

  it('that is a bug shows its stack, for people and as an object', () => {
    const bug = new TypeError('x is undefined');
    const { exit, stderr } = told(bug);
    expect(exit).toBe(70);
    expect(stderr).toMatch(/^This is a bug in stager\. .*\nTypeError: x is undefined\n {4}at /);
    expect(JSON.parse(told(bug, { json: true }).stdout)).toMatchObject({
      type: 'error',
      error: {
        code: 'UNEXPECTED',
        blame: 'stager',
        message: 'x is undefined',
        exit: 70,
        details: { stack: expect.stringContaining('report-error.test.ts') },
      },
    });
  });
});
