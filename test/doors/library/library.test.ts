/** What the library refuses before anything is started. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runDroplet, stage } from '../../../src/index.ts';

const home = mkdtempSync(join(tmpdir(), 'stager-library-unit-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('the library', () => {
  it.each([
    [{ memoryMb: 0 }, 'memoryMb is 0'],
    [{ diskMb: Number.NaN }, 'diskMb is NaN'],
    [{ timeoutMs: -5 }, 'timeoutMs is -5'],
    [{ memoryMb: Number.POSITIVE_INFINITY }, 'memoryMb is Infinity'],
  ])('refuses %j, which would be no limit or none that makes sense', async (amounts, message) => {
    await expect(stage({ home, ...amounts }).result).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message,
    });
    const { memoryMb, diskMb } = { memoryMb: 64, diskMb: 64, ...amounts };
    if ('timeoutMs' in amounts) return;
    await expect(runDroplet({ home, memoryMb, diskMb })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message,
    });
  });

  it('refuses places and files that are not there before it starts', async () => {
    const nowhere = join(home, 'nowhere/file');
    for (const options of [{ result: nowhere }, { envFile: nowhere }]) {
      await expect(stage({ home, ...options }).result).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(`${nowhere} (ENOENT)`),
      });
    }
  });

  it('writes the result of a failure as well', async () => {
    const result = join(home, 'result.json');
    const source = join(home, 'no-app');
    await expect(stage({ home, source, result, sandbox: 'none' }).result).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
    });
    expect(JSON.parse(readFileSync(result, 'utf8'))).toMatchObject({
      stager: { outcome: 'failed', error: { code: 'SOURCE_NOT_FOUND', exit: 10 } },
    });
  });

  it('fails with CANCELLED for a signal that has fired, whatever its reason', async () => {
    const signal = AbortSignal.abort();
    for (const start of [() => stage({ home, signal }).result, () => runDroplet({ home, signal })]) {
      await expect(start()).rejects.toMatchObject({ name: 'StagerError', code: 'CANCELLED' });
    }
  });
});
