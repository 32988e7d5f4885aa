import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { isStagerError } from '../../src/errors.ts';
import { ArchiveFile } from '../../src/source/archive-file.ts';
import { IgnoreRules } from '../../src/source/ignore.ts';
import { DEFAULT_SOURCE_LIMITS } from '../../src/source/limits.ts';
import { ZipSource } from '../../src/source/zip.ts';
import { signal, writeZip } from './support.ts';

const CASES = 10_000;
const limits = { ...DEFAULT_SOURCE_LIMITS, maxBytes: 1_000_000, maxEntries: 100 };
const contents: Record<string, string> = {
  'a.js': 'a'.repeat(500),
  'd/b.sh': 'b',
  'd/e/c.txt': 'c'.repeat(90),
};

/** A small generator of our own (mulberry32): case n is always the same one. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function mutate(original: Buffer, seed: number): Buffer {
  const random = randomOf(seed);
  let bytes = Buffer.from(original);
  const at = (): number => Math.floor(random() * bytes.length);
  for (let n = 0; n <= random() * 3 && bytes.length > 0; n++) {
    const kind = random();
    const [one, two, three] = [at(), at(), at()].sort((a, b) => a - b);
    if (kind < 0.5) bytes[at()] = Math.floor(random() * 256);
    else if (kind < 0.6) bytes = bytes.subarray(0, at());
    else if (kind < 0.7) bytes = Buffer.concat([bytes.subarray(0, one), bytes.subarray(two)]);
    else if (kind < 0.8) bytes = Buffer.concat([bytes.subarray(0, two), bytes.subarray(one)]);
    else if (kind < 0.9) bytes.fill(random() < 0.5 ? 0xff : 0, one, Math.min(two ?? 0, (one ?? 0) + 4));
    else bytes.copyWithin(at(), one ?? 0, Math.min(three ?? 0, (one ?? 0) + 8));
  }
  return bytes;
}

it('refuses 10,000 damaged uploads or reads only contents that were packed, at paths inside the app', {
  timeout: 120_000,
}, async () => {
  const root = await mkdtemp(join(tmpdir(), 'stager-mutated-'));
  const path = join(root, 'bits.zip');
  await writeZip(path, {
    ...Object.fromEntries(Object.entries(contents).map(([name, content]) => [name, { content }])),
    l: { link: 'a.js' },
    'empty/': {},
  });
  const original = await readFile(path);
  // A damaged type turns the link into a file whose content is its target.
  const known = new Set([...Object.values(contents), 'a.js']);
  let refused = 0;
  try {
    for (let seed = 1; seed <= CASES; seed++) {
      await writeFile(path, mutate(original, seed));
      const source = new ZipSource({
        file: new ArchiveFile(path, 'upload'),
        limits,
        modes: 'archive',
        rulesOf: () => new IgnoreRules('cf', [], []),
      });
      try {
        for await (const entry of source.entries({ signal })) {
          expect(entry.path).not.toMatch(/^\/|(^|\/)\.\.(\/|$)/);
          if (entry.kind !== 'file' || entry.open === undefined) continue;
          const content = await text(await entry.open());
          if (!known.has(content) && content !== '')
            expect(`case ${seed}: ${content}`).toBe('a content that was packed');
        }
      } catch (error) {
        if (!isStagerError(error)) throw new Error(`case ${seed}`, { cause: error });
        expect(error.code).toMatch(/^SOURCE_/);
        refused++;
      }
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  expect(refused).toBeGreaterThan(CASES / 10);
});
