import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isLayout } from '../../../src/staging/image/bases.ts';
import { tempDir } from '../source/archives.ts';

it('a path is a layout even if a file lies there, and a name is an image unless a directory does', async () => {
  const directory = tempDir();
  writeFileSync(join(directory, 'layout'), '');

  const answers = [directory, join(directory, 'layout'), './gone', '../gone', 'gone', 'example.com/app:v1'];

  expect(await Promise.all(answers.map(isLayout))).toEqual([true, true, true, true, false, false]);
});
