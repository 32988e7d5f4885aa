import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { bytesOf, put, scratch } from './trees.ts';

it('packs a big file and many small ones in less than 250 MiB of memory', () => {
  using dir = scratch();
  put(dir.at('tree', 'sparse'), '');
  truncateSync(dir.at('tree', 'sparse'), 600 * 1024 * 1024);
  put(dir.at('tree', 'dense'), bytesOf(60_000_000, 1));
  for (let d = 0; d < 40; d++) {
    mkdirSync(dir.at('tree', `d${d}`));
    for (let f = 0; f < 100; f++) writeFileSync(dir.at('tree', `d${d}`, `f${f}`), 'tiny');
  }
  const program = new URL('pack-program.ts', import.meta.url).pathname;
  const args = [program, dir.at('tree'), dir.at('x.tgz'), dir.at('cache')];
  const peakMib = Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  expect(peakMib).toBeGreaterThan(40);
  expect(peakMib).toBeLessThan(250);
});
