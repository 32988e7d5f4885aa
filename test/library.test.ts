/** What the library refuses before anything is started. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runDroplet, stage } from '../src/index.ts';

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
    const { memoryMb, diskMb } = { memoryMb: 1, diskMb: 1, ...amounts };
    if ('timeoutMs' in amounts) return;
    await expect(runDroplet({ home, memoryMb, diskMb })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message,
    });
  });

  it('fails with CANCELLED for a signal that has fired, whatever its reason', async () => {
    const signal = AbortSignal.abort();
    for (const start of [() => stage({ home, signal }).result, () => runDroplet({ home, signal })]) {
      await expect(start()).rejects.toMatchObject({ name: 'StagerError', code: 'CANCELLED' });
    }
  });
});
