import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { apiPage } from '../../support/api-page.ts';

it('docs/api lists the library as it is, every type of a signature by its name (node scripts/docs.ts writes it)', () => {
  const page = readFileSync(new URL('../../../docs/api/README.md', import.meta.url), 'utf8');
  expect(page).toBe(apiPage());
});
