import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type OpenSourceOptions, openSource } from '../../../src/staging/source/open.ts';
import { StagerError } from '../../../src/words/errors.ts';
import { asMap, type RawTarEntry, rawTar, readAll, saved, tempDir } from './archives.ts';

const signal = new AbortController().signal;

async function tar(entries: readonly RawTarEntry[], options: OpenSourceOptions = {}) {
  return readAll(saved('app.tar', await rawTar(entries)), options);
}

async function refused(
  entries: readonly RawTarEntry[],
  options: OpenSourceOptions = {},
): Promise<StagerError> {
  const error = await tar(entries, options).then(
    (all) => all,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StagerError))
    throw new Error(`expected a StagerError, got ${JSON.stringify(error)}`);
  return error;
}

const APP: readonly RawTarEntry[] = [
  { name: './', type: 'directory' },
  { name: './dir/', type: 'directory', mode: 0o500 },
  { name: './dir/run', content: 'x', mode: 0o4755 },
  { name: './dir/link', type: 'symlink', linkname: 'run' },
  { name: './.cfignore', content: 'logs\n!manifest.yml' },
  { name: './logs/x', content: 'no' },
  { name: './manifest.yml', content: 'no' },
];

describe('what a tar hands out', () => {
  it.each(['tar', 'tar.gz'])(
    'files, directories, links, modes; rules as for a directory (.%s)',
    async (kind) => {
      const bytes = await rawTar(APP);
      const all = await readAll(saved(`app.${kind}`, kind === 'tar' ? bytes : gzipSync(bytes)));
      expect(asMap(all)).toEqual({ dir: '/', 'dir/run': 'x', 'dir/link': '-> run' });
      // The owner of a directory must be able to fill it.
      expect(all.map((entry) => (entry.kind === 'symlink' ? 0 : entry.mode))).toEqual([0o700, 0o755, 0]);
    },
  );

  it('a hard link inside as a copy, its original ignored or not, and nothing left in the temp directory', async () => {
    const tempRoot = tempDir();
    const all = await tar(
      [
        { name: '.cfignore', content: 'gone' },
        { name: 'a', content: 'hello', mode: 0o755 },
        { name: 'b', type: 'link', linkname: 'a' },
        { name: 'c', type: 'link', linkname: 'b' },
        { name: 'gone', content: 'kept by its other name' },
        { name: 'd', type: 'link', linkname: './gone' },
      ],
      { tempRoot },
    );
    expect(asMap(all)).toEqual({ a: 'hello', b: 'hello', c: 'hello', d: 'kept by its other name' });
    expect(all[1]).toMatchObject({ kind: 'file', mode: 0o755, sizeBytes: 5 });
    expect(readdirSync(tempRoot)).toEqual([]);
  });

  it('a large hard-linked file by way of a temp directory that is made, in which it has no name', async () => {
    const tempRoot = join(tempDir(), 'not/yet');
    const content = 'large'.repeat(50_000);
    const path = saved(
      'app.tar',
      await rawTar([
        { name: 'a', content },
        { name: 'empty', content: '' },
        { name: 'b', type: 'link', linkname: 'a' },
        { name: 'c', type: 'link', linkname: 'empty' },
      ]),
    );
    const seen: string[] = [];
    for await (const entry of (await openSource(path, { tempRoot })).entries({ signal })) {
      seen.push(entry.open === undefined ? '' : await text(await entry.open()));
      // What kills us now leaves nothing.
      expect(readdirSync(tempRoot)).toEqual([]);
    }
    expect(seen).toEqual([content, '', content, '']);
  });

  it('all entries when the content of some is not asked for', async () => {
    const source = await openSource(
      saved(
        'app.tar',
        await rawTar([
          { name: 'a', content: 'x'.repeat(200_000) },
          { name: 'b', content: 'y' },
        ]),
      ),
    );
    const paths: string[] = [];
    for await (const entry of source.entries({ signal })) paths.push(entry.path);
    expect(paths).toEqual(['a', 'b']);
  });

  it('two gzip members in a row', async () => {
    const bytes = await rawTar([{ name: 'a', content: 'x' }]);
    const joined = Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))]);
    expect(asMap(await readAll(saved('a.tgz', joined)))).toEqual({ a: 'x' });
  });
});

describe('attacks', () => {
  it('names that leave and entries that are not files, all at once', async () => {
    const error = await refused([
      { name: 'ok', content: 'x' },
      { name: '../evil', content: 'x' },
      { name: '/absolute', content: 'x' },
      { name: 'a/../../evil', content: 'x' },
      { name: 'fifo', type: 'fifo' },
      { name: 'dev', type: 'block-device' },
      { name: 'chr', type: 'character-device' },
      { name: 'out', type: 'symlink', linkname: '../../etc' },
      { name: 'hard', type: 'link', linkname: '/etc/passwd' },
      { name: 'hard2', type: 'link', linkname: '../x' },
      { name: 'hard3', type: 'link', linkname: 'missing' },
    ]);
    expect(error.code).toBe('SOURCE_UNSAFE');
    expect(error.details).toMatchObject({ count: 10 });
  });

  it('a file through a link of its own, a link over a directory, a name twice', async () => {
    const error = await refused([
      { name: 'l', type: 'symlink', linkname: 'd' },
      { name: 'l/x', content: '1' },
      { name: 'd/y', content: '1' },
      { name: 'd', type: 'symlink', linkname: 'e' },
      { name: 'z', content: '1' },
      { name: 'z', content: '1' },
    ]);
    expect(error.message).toContain('l/x: lies beneath the symbolic link l');
    expect(error.message).toContain('d: is a file or link that has entries below it');
    expect(error.message).toMatch(/z: occurs twice$/m);
  });

  it('a hard link to a link that leads out', async () => {
    const error = await refused([
      { name: 'a/b/in', type: 'symlink', linkname: '../../x' },
      { name: 'out', type: 'link', linkname: 'a/b/in' },
    ]);
    expect(error.message).toContain('out: symbolic link leads out');
  });

  it('copies of a hard-linked file count against the size limit', async () => {
    const links = Array.from(
      { length: 50 },
      (_, index) => ({ name: `l${index}`, type: 'link', linkname: 'a' }) as const,
    );
    const error = await refused([{ name: 'a', content: 'x'.repeat(1000) }, ...links], {
      limits: { maxBytes: 20_000 },
    });
    expect(error.code).toBe('SOURCE_TOO_LARGE');
  });

  it('a size bomb and a million entries', async () => {
    const bomb = await rawTar([{ name: 'a', content: 'x' }]);
    bomb.write('77777777777\0', 124, 'latin1');
    fixChecksum(bomb);
    await expect(readAll(saved('bomb.tar', bomb))).rejects.toMatchObject({
      code: expect.stringMatching(/^SOURCE_/),
    });
    const many = Array.from({ length: 300 }, (_, index) => ({ name: `f${index}`, content: '' }));
    expect((await refused(many, { limits: { maxEntries: 200 } })).code).toBe('SOURCE_TOO_LARGE');
  });

  it('an endless gzip of nothing', async () => {
    const zeros = gzipSync(Buffer.alloc(40_000_000));
    const limits = { maxBytes: 1_000_000, maxEntries: 100 };
    await expect(readAll(saved('zeros.tgz', zeros), { limits })).rejects.toMatchObject({
      code: 'SOURCE_TOO_LARGE',
    });
  });

  it('a header that claims gigabytes of name', async () => {
    const bytes = await rawTar([{ name: 'a', content: 'x'.repeat(600) }]);
    bytes.write('L', 156, 'latin1');
    bytes.write('77777777777\0', 124, 'latin1');
    fixChecksum(bytes);
    await expect(readAll(saved('l.tar', bytes))).rejects.toMatchObject({ code: 'SOURCE_ARCHIVE_INVALID' });
  });

  it('an unknown type, and a sparse file', async () => {
    const bytes = await rawTar([{ name: 'a', content: 'x' }]);
    bytes.write('S', 156, 'latin1');
    fixChecksum(bytes);
    await expect(readAll(saved('s.tar', bytes))).rejects.toMatchObject({ code: 'SOURCE_UNSAFE' });
  });

  it('an archive that is cut off, plain and gzipped', async () => {
    const bytes = await rawTar([{ name: 'a', content: 'x'.repeat(5000) }]);
    for (const cut of [bytes.subarray(0, 2000), gzipSync(bytes).subarray(0, 60)]) {
      await expect(readAll(saved('a.tar', cut))).rejects.toMatchObject({ code: 'SOURCE_ARCHIVE_INVALID' });
    }
  });

  it('leaves the victim untouched', async () => {
    const root = tempDir();
    const victim = join(root, 'victim');
    writeFileSync(victim, 'mine');
    await refused([{ name: `../${victim}`, content: 'theirs' }]);
    expect(existsSync(victim)).toBe(true);
  });
});

function fixChecksum(block: Buffer): void {
  block.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of block.subarray(0, 512)) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}
