import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { forgetBigFiles } from '../../../src/machine/sandbox/volume/image.ts';

let dir: string;
const at = (...names: string[]): string => join(dir, ...names);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stager-volume-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

it('forgets the big files of a volume that goes, and nothing that is linked to from there', async () => {
  mkdirSync(at('volume/deps'), { recursive: true });
  for (const [path, bytes] of Object.entries({ big: 2 ** 21, 'deps/big': 2 ** 21, small: 10 })) {
    writeFileSync(at('volume', path), '');
    truncateSync(at('volume', path), bytes);
  }
  writeFileSync(at('outside'), Buffer.alloc(2 ** 21));
  mkdirSync(at('elsewhere'));
  writeFileSync(at('elsewhere/big'), Buffer.alloc(2 ** 21));
  symlinkSync(at('outside'), at('volume/file'));
  symlinkSync(at('elsewhere'), at('volume/directory'));
  await forgetBigFiles(at('volume'));
  const left = ['volume/big', 'volume/deps/big', 'volume/small', 'outside', 'elsewhere/big'];
  expect(left.map((path) => existsSync(at(path)))).toEqual([false, false, true, true, true]);
});
