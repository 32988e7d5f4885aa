import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cliPage } from '../../support/cli-page.ts';

describe('docs/cli.md', () => {
  it('has the settings as the program has them (node scripts/docs.ts fixes it)', () => {
    const page = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
    expect(page).toBe(cliPage(page));
  });
});
