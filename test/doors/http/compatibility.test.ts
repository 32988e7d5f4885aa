import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { compatibilityPage } from '../../support/compatibility-page.ts';

it('docs/cf-compatibility.md lists the routes as they are (node scripts/docs.ts writes it)', () => {
  const page = readFileSync(new URL('../../../docs/cf-compatibility.md', import.meta.url), 'utf8');
  expect(page).toBe(compatibilityPage(page));
});
