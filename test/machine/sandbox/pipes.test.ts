/** Pipes for the output of commands. */
import { mkdtempSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { PipeStock } from '../../../src/machine/sandbox/child/pipes.ts';

it('gives each of many commands pipes of its own, and takes their names away', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'stager-pipes-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const stock = new PipeStock(join(directory, 'pipes'));
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const taken = await Promise.all(Array.from({ length: 6 }, () => stock.take(owner)));
  const ends = taken.flatMap(({ stdout, stderr }) => [stdout, stderr]);
  for (const [index, { writer, closeWriter }] of ends.entries()) {
    writeSync(writer, String(index));
    closeWriter();
  }
  const said = await Promise.all(ends.map(({ reader }) => text(reader)));
  expect(said).toEqual(ends.map((_, index) => String(index)));
  // Those that nobody has taken yet.
  expect(readdirSync(join(directory, 'pipes')).length).toBeLessThan(ends.length);
});
