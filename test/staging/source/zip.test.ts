import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type OpenSourceOptions, openSource } from '../../../src/staging/source/open.ts';
import { StagerError } from '../../../src/words/errors.ts';
import { asMap, type RawZipEntry, rawZip, readAll, saved, tempDir } from './archives.ts';

const signal = new AbortController().signal;

function zip(entries: readonly RawZipEntry[], options: OpenSourceOptions = {}) {
  return readAll(saved('app.zip', rawZip(entries)), options);
}

async function refused(
  entries: readonly RawZipEntry[],
  options: OpenSourceOptions = {},
): Promise<StagerError> {
  const error = await zip(entries, options).then(
    (all) => all,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StagerError))
    throw new Error(`expected a StagerError, got ${JSON.stringify(error)}`);
  return error;
}

describe('what a zip hands out', () => {
  it('#38 files, directories by their slash, links; modes where it was made on unix', async () => {
    const all = await zip([
      { name: 'dir/', mode: 0o100755 },
      { name: 'dir/run', content: 'x', mode: 0o100755 },
      { name: 'dir/data', content: 'y', mode: 0o100640 },
      { name: 'dir/link', content: 'run', mode: 0o120777 },
      { name: 'plain', content: 'z' },
    ]);
    expect(asMap(all)).toEqual({
      dir: '/',
      'dir/run': 'x',
      'dir/data': 'y',
      'dir/link': '-> run',
      plain: 'z',
    });
    expect(all.map((entry) => (entry.kind === 'symlink' ? 0 : entry.mode))).toEqual([
      0o755, 0o755, 0o640, 0, 0o744,
    ]);
  });

  it('the same behind a prefix, as self-extracting archives have it', async () => {
    const bytes = Buffer.concat([
      Buffer.from('#!/bin/sh\nexec java -jar "$0"\n'),
      rawZip([{ name: 'a', content: 'hello' }]),
    ]);
    expect(asMap(await readAll(saved('app.jar', bytes)))).toEqual({ a: 'hello' });
  });

  it('the same with bytes behind its end, few or many, a comment before them or not', async () => {
    const plain = rawZip([{ name: 'a', content: 'hello' }]);
    const commented = Buffer.concat([plain, Buffer.from('note')]);
    commented.writeUInt16LE(4, plain.length - 2);
    for (const zip of [plain, commented, Buffer.concat([Buffer.from('#!/bin/sh\n'), plain])]) {
      for (const behind of [Buffer.alloc(1), Buffer.alloc(100), Buffer.alloc(60_000, 'PK')]) {
        const path = saved('app.zip', Buffer.concat([zip, behind]));
        expect(asMap(await readAll(path))).toEqual({ a: 'hello' });
      }
    }
  });

  it('backslashes of Windows PowerShell as slashes; on unix they are part of a name', async () => {
    for (const host of [0, 10, 14]) {
      const all = await zip([
        { name: 'lib\\', host },
        { name: 'lib\\a.js', content: 'x', host },
        { name: '.cfignore', content: 'tmp/', host },
        { name: 'tmp\\b', content: 'y', host },
      ]);
      expect(asMap(all)).toMatchObject({ lib: '/', 'lib/a.js': 'x' });
      expect(all.map(({ path }) => path)).not.toContain('tmp/b');
      expect((await refused([{ name: '..\\..\\x', content: 'x', host }])).code).toBe('SOURCE_UNSAFE');
    }
    expect(asMap(await zip([{ name: 'a\\b', content: 'x', mode: 0o100644 }]))).toEqual({ 'a\\b': 'x' });
  });

  it('a large file whole, and two passes the same', async () => {
    const content = Buffer.alloc(3_000_000, 'abcdefg');
    const source = await openSource(
      saved(
        'app.zip',
        rawZip([
          { name: 'big', content },
          { name: 'raw', content, method: 0 },
        ]),
      ),
    );
    const want = createHash('sha256').update(content).digest('hex');
    for (const _ of [1, 2]) {
      for await (const entry of source.entries({ signal })) {
        const hash = createHash('sha256');
        for await (const chunk of (await entry.open?.()) ?? []) hash.update(chunk);
        expect(hash.digest('hex')).toBe(want);
      }
    }
  });

  it('an entry that a jar repeats unchanged, once', async () => {
    const all = await zip([
      { name: 'META-INF/' },
      { name: 'META-INF/LICENSE', content: 'x' },
      { name: 'META-INF/' },
      { name: 'META-INF/LICENSE', content: 'x' },
    ]);
    expect(asMap(all)).toEqual({ 'META-INF': '/', 'META-INF/LICENSE': 'x' });
  });

  it('what its .cfignore leaves, wherever that is; and a default that it brings back', async () => {
    const all = await zip([
      { name: 'sub/.cfignore', content: 'logs\n!manifest.yml\n' },
      { name: 'logs/x' },
      { name: 'manifest.yml', content: 'm' },
      { name: 'a', content: '1' },
    ]);
    expect(asMap(all)).toEqual({ 'manifest.yml': 'm', a: '1' });
  });

  it('names in an old code page', async () => {
    const all = await zip([{ name: Buffer.from([0x81, 0x62]), flags: 0 }]);
    expect(all.map((entry) => entry.path)).toEqual(['üb']);
  });

  it('hints at the one folder in it', async () => {
    const source = await openSource(saved('app.zip', rawZip([{ name: 'app/' }, { name: 'app/a' }])));
    expect((await source.hints({ signal }))[0]).toContain(
      'only the folder app: pack the contents of that folder',
    );
  });
});

describe('attacks', () => {
  it('names that leave, all at once, with nothing handed out', async () => {
    const error = await refused([
      { name: 'ok' },
      { name: '../evil' },
      { name: '/absolute' },
      { name: 'a/../../evil' },
      { name: 'nul\0byte' },
      { name: 'a//b' },
      { name: 'fifo', mode: 0o010644 },
      { name: 'device', mode: 0o020644 },
    ]);
    expect(error.code).toBe('SOURCE_UNSAFE');
    expect(error.details).toMatchObject({ count: 7 });
    for (const name of ['../evil', '/absolute', 'a/../../evil', 'nul\\x00byte', 'fifo', 'device']) {
      expect(error.message).toContain(name);
    }
  });

  it('a backslash is part of a name, not a way up', async () => {
    expect(
      (await zip([{ name: '..\\..\\evil', content: 'x', mode: 0o100644 }])).map((entry) => entry.path),
    ).toEqual(['..\\..\\evil']);
  });

  it('links that lead out, directly and through each other', async () => {
    const link = (name: string, content: string) => ({ name, content, mode: 0o120777 });
    const error = await refused([
      link('a', '/etc'),
      link('b', 'c/../../x'),
      link('c', 'd'),
      { name: 'd/' },
      link('e', '..'),
    ]);
    expect(error.details).toMatchObject({ count: 3 });
  });

  it('a link with a target longer than a path', async () => {
    const error = await refused([{ name: 'a', content: 'x'.repeat(5000), mode: 0o120777 }]);
    expect(error.code).toBe('SOURCE_ARCHIVE_INVALID');
  });

  it('writing through a link of its own', async () => {
    const error = await refused([
      { name: 'dir', content: 'target', mode: 0o120777 },
      { name: 'dir/file', content: 'x' },
    ]);
    expect(error.message).toContain('dir/file: lies beneath the symbolic link dir');
  });

  it('a link that takes the place of a directory that was filled', async () => {
    const error = await refused([
      { name: 'dir/file', content: 'x' },
      { name: 'dir', content: 'other', mode: 0o120777 },
    ]);
    expect(error.message).toContain('has entries below it');
  });

  it('an entry beneath a file, and two with one name', async () => {
    const error = await refused([
      { name: 'a', content: '1' },
      { name: 'a/b', content: '2' },
      { name: 'c', content: '3' },
      { name: 'c', content: '4' },
    ]);
    expect(error.message).toContain('a/b: lies beneath the file a');
    expect(error.message).toContain('c: occurs twice');
  });

  it('a size bomb, by what it declares', async () => {
    const error = await refused([{ name: 'bomb', content: 'x', declaredSize: 0xfffffff0 }], {
      limits: { maxBytes: 1e9 },
    });
    expect(error.code).toBe('SOURCE_TOO_LARGE');
    expect(error.details).toMatchObject({ limit: 1e9, actual: 0xfffffff0 });
  });

  it('a size bomb that declares little and holds much', async () => {
    for (const size of [5_000_000, 50_000]) {
      const error = await refused([{ name: 'bomb', content: Buffer.alloc(size), declaredSize: 10, crc: 0 }]);
      expect(error.code).toBe('SOURCE_ARCHIVE_INVALID');
    }
  });

  it('a million entries', async () => {
    const names = Array.from({ length: 3000 }, (_, index) => ({ name: `f${index}`, method: 0 }));
    expect((await refused(names, { limits: { maxEntries: 2000 } })).code).toBe('SOURCE_TOO_LARGE');
    const deep = [{ name: `${'d/'.repeat(2000)}f` }];
    expect((await refused(deep, { limits: { maxEntries: 1000 } })).code).toBe('SOURCE_TOO_LARGE');
    const claim = rawZip([{ name: 'a' }]);
    claim.writeUInt16LE(60_000, claim.length - 12);
    await expect(readAll(saved('a.zip', claim), { limits: { maxEntries: 100 } })).rejects.toMatchObject({
      code: 'SOURCE_TOO_LARGE',
    });
  });

  it('encrypted entries and foreign methods, named', async () => {
    const error = await refused([
      { name: 'secret', content: 'x', flags: 0x801 },
      { name: 'lzma', content: 'x', method: 14 },
    ]);
    expect(error.message).toContain('secret: is encrypted');
    expect(error.message).toContain('lzma: is compressed with LZMA (method 14), which is not deflate');
    expect(error.next).toBe('Create the archive again without a password and with deflate: zip -r app.zip .');
  });

  it('a .cfignore that can not be read, with the reason, and an archive with an encrypted directory', async () => {
    const packed = await refused([{ name: '.cfignore', content: 'x', method: 12 }]);
    expect(packed.message).toContain('.cfignore in ');
    expect(packed.message).toContain('is compressed with bzip2 (method 12)');
    const strong = await refused([{ name: 'a', content: 'x', flags: 0x41 }]);
    expect(strong.message).toMatch(/app\.zip is encrypted$/);
    expect(strong.next).toContain('without a password');
  });

  it('what is too large, with what can be raised', async () => {
    const content = Buffer.alloc(2000);
    const limits = { maxBytes: 1000, raise: '--disk' };
    expect((await refused([{ name: 'a', content }], { limits })).next).toBe(
      'Leave files out with .cfignore, or raise --disk.',
    );
    expect((await refused([{ name: 'a', content }], { limits: { maxBytes: 1000 } })).next).toContain('fixed');
  });

  it('a file with one name in the directory and another one before its content', async () => {
    for (const size of [10, 300_000]) {
      const error = await refused([{ name: 'a.js', localName: 'b.js', content: Buffer.alloc(size) }]);
      expect(error).toMatchObject({ code: 'SOURCE_ARCHIVE_INVALID' });
      expect(error.message).toContain('name in the local header differs');
    }
  });

  it('a directory with another name before its content', async () => {
    const error = await refused([{ name: 'd/', localName: 'e/' }]);
    expect(error).toMatchObject({ code: 'SOURCE_ARCHIVE_INVALID' });
    expect(error.message).toContain('name in the local header differs');
  });

  it('content that is not what its checksum says', async () => {
    const error = await refused([{ name: 'a', content: 'x', crc: 1 }]);
    expect(error.message).toContain('a in ');
    expect(error.message).toContain('wrong checksum');
  });

  it('a file that is cut off, or is not an archive', async () => {
    const whole = rawZip([{ name: 'a', content: 'hello' }]);
    for (const bytes of [whole.subarray(0, whole.length - 10), Buffer.from('hello'), Buffer.alloc(0)]) {
      await expect(readAll(saved('a.zip', bytes))).rejects.toMatchObject({ code: 'SOURCE_ARCHIVE_INVALID' });
    }
  });

  it('packed with something else: says with what', async () => {
    await expect(readAll(saved('a.tar.zst', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0])))).rejects.toThrow(
      /zstd/,
    );
  });

  it('an archive that is replaced between the passes', async () => {
    const path = join(tempDir(), 'app.zip');
    writeFileSync(path, rawZip([{ name: 'a', content: '1' }]));
    const source = await openSource(path);
    await source.hints({ signal });
    writeFileSync(path, rawZip([{ name: '../evil', content: '22' }]));
    await expect(source.entries({ signal })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
    });
  });
});
