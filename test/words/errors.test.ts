import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorReport } from '../../src/words/error-report.ts';
import { CODES, StagerError } from '../../src/words/errors.ts';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| (\d+) \| `(\w+)` \| (\w+) \|/gm)].map(([, exit, code, blame]) => ({
  exit: Number(exit),
  code,
  blame,
}));

describe('docs/errors.md', () => {
  it('lists exactly the codes of the table, with their exit status and culprit', () => {
    const table = Object.entries(CODES).map(([code, { exit, blame }]) => ({ exit, code, blame }));
    expect(rows).toEqual(table);
  });
});

describe('an error as data', () => {
  it('ends with 143 when SIGTERM cancelled, and 130 otherwise', () => {
    expect(errorReport(new StagerError('CANCELLED', 'x', { details: { signal: 'SIGTERM' } })).exit).toBe(143);
    expect(errorReport(new StagerError('CANCELLED', 'x')).exit).toBe(130);
  });
});
