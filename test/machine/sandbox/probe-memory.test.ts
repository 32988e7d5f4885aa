/** What is remembered of runtimes, when something happened to the file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bootId } from '../../../src/machine/host/process-identity.ts';
import { ProbeMemory } from '../../../src/machine/sandbox/oci/probe.ts';
import { tempDir } from '../../staging/source/archives.ts';

it.each<[string, (path: string) => void]>([
  ['not JSON', (path) => writeFileSync(path, '{')],
  ['of another form', (path) => writeFileSync(path, '[1]')],
  ['a directory', (path) => mkdirSync(join(path, 'inside'), { recursive: true })],
])('a memory that is %s is none, and is written again', async (_, damage) => {
  const dir = tempDir();
  damage(join(dir, 'probes.json'));
  const memory = new ProbeMemory(dir);
  const key = `${bootId()}:one`;
  expect(await memory.recall(key)).toBeUndefined();
  await memory.remember(key, 'works');
  expect(await memory.recall(key)).toBe('works');
});
