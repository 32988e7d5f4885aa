/** The checklist of the buildpack contract has a test for every case that applies, and the page says where it is. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Cloud Foundry's and Heroku's cases; the rest are of cloud native buildpacks. */
const CASES = Array.from({ length: 65 }, (_, index) => index + 1);

/** Numbers at the start of the names of a file's tests: `#42 …`, `#40 #41 …`. */
function casesOf(file: string): readonly number[] {
  const names = readFileSync(join(ROOT, file), 'utf8').matchAll(/['`](#\d+(?: #\d+)*) /g);
  return [...names].flatMap(([, numbers = '']) => numbers.split(' ').map((it) => Number(it.slice(1))));
}

it('has a test for every case of the checklist', () => {
  const shown = new Set(globSync('test/**/*.test.ts', { cwd: ROOT }).flatMap(casesOf));
  expect(CASES.filter((it) => !shown.has(it))).toEqual([]);
});

it('finds the cases where docs/conformance.md says they are', () => {
  const page = readFileSync(join(ROOT, 'docs/conformance.md'), 'utf8');
  const rows = [...page.matchAll(/^\| ([\d, to]+) \| (test\/\S+\.test\.ts)/gm)];
  const wrong = rows.flatMap(([, cases = '', file = '']) => {
    const there = new Set(casesOf(file));
    return numbersOf(cases).flatMap((it) => (there.has(it) ? [] : [`${it} in ${file}`]));
  });
  expect(wrong).toEqual([]);
  const listed = new Set(rows.flatMap(([, cases = '']) => numbersOf(cases)));
  expect(CASES.filter((it) => !listed.has(it))).toEqual([26]);
});

/** `1 to 3, 7` → 1, 2, 3, 7. */
function numbersOf(text: string): readonly number[] {
  return text.split(', ').flatMap((part) => {
    const [first = 0, last = first] = part.split(' to ').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
