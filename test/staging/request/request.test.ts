import { describe, expect, it } from 'vitest';
import { checkLimits, readEnv } from '../../../src/staging/request/request.ts';

describe('limits of a request', () => {
  it('are whole numbers with which something can run', () => {
    expect(() => checkLimits({ memoryMb: 4, diskMb: 1, timeoutMs: 1 })).not.toThrow();
  });

  it.each([
    ['a memory limit below what a runtime needs', { memoryMb: 1 }, /memoryMb is 1/],
    ['no number', { diskMb: Number.NaN }, /diskMb is NaN/],
    ['a negative time', { timeoutMs: -1 }, /timeoutMs is -1/],
    ['a part of a number', { memoryMb: 512.5 }, /memoryMb is 512\.5/],
  ])('%s is refused', (_what, limit, message) => {
    expect(() => checkLimits({ memoryMb: 64, diskMb: 64, timeoutMs: 1000, ...limit })).toThrow(message);
  });
});

describe('a variable of --env', () => {
  it.each([
    ['NAME', '"NAME" is not a variable: it has no ='],
    ['', '"" is not a variable: it has no ='],
    ['A B=secret', '"A B" is not a variable: its name has a space'],
    ['=secret', 'the variable with the value behind "=" has no name'],
  ])('%j is refused in a sentence without its value', async (text, message) => {
    await expect(readEnv([text], undefined)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message });
  });

  it('may have any name that a process can have', async () => {
    expect(await readEnv(['server.port=8080', 'A[0]=', 'B==x\ny'], undefined)).toEqual({
      'server.port': '8080',
      'A[0]': '',
      B: '=x\ny',
    });
  });
});
