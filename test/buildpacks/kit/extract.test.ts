import { existsSync, lstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { unpack } from '../../../buildpacks/kit/extract.ts';

type Entry = Partial<Header> & { name: string } & { body?: string };

let temp: DirectoryResult;

beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
});
afterEach(() => temp.cleanup());

async function tar(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { body, ...header } of entries) archive.entry(header, body ?? '');
  archive.finalize();
  return buffer(archive);
}

async function unpacked(name: string, bytes: Uint8Array, options = {}): Promise<string> {
  const file = join(temp.path, name);
  await writeFile(file, bytes);
  const target = join(temp.path, 'out/inner');
  await unpack(file, target, options);
  return target;
}

function ar(members: readonly { name: string; body: Buffer }[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from('!<arch>\n')];
  for (const { name, body } of members) {
    const head = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${`${body.length}`.padEnd(10)}\`\n`;
    parts.push(Buffer.from(head), body, Buffer.alloc(body.length % 2, '\n'));
  }
  return Buffer.concat(parts);
}

/** xz of a tar with one file `hello.txt`: "hello from xz\n". */
const XZ = Buffer.from(
  '/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM4Cf/AG1dADQZSe6N8LrI/5v/8gxprxHrY1SJHfcrvlOA8KVk04voSezO/nHHKGABsnjYMEmySuODuWHSxMd7QOcBm69Wbx+ErOjccj0wrmbGoWFdx1RWi0e0oerp7i224iFSXooP7tGFNco+LHeYCp0JkAAAAAAAOplmOAABhQGAUAAAjeCtMT4wDYsCAAAAAAFZWg==',
  'base64',
);

describe('unpacking', () => {
  const files: Entry[] = [
    { name: 'package/bin/tool', mode: 0o6755, body: 'run' },
    { name: 'package/readme', mode: 0o644, body: 'text', mtime: new Date(1_500_000_000_000) },
    { name: 'package/link', type: 'symlink', linkname: 'bin/tool' },
    { name: 'package/hard', type: 'link', linkname: 'package/readme' },
    { name: 'package/empty/', type: 'directory' },
  ];

  it.each([
    ['a.tar', (bytes: Buffer) => bytes],
    ['a.tgz', gzipSync],
    ['a.tar.zst', zstdCompressSync],
  ])('keeps modes, times, links and empty directories of %s, and drops setuid', async (name, compress) => {
    const out = await unpacked(name, compress(await tar(files)), { strip: 1 });
    expect(statSync(join(out, 'bin/tool')).mode & 0o7777).toBe(0o755);
    expect(readlinkSync(join(out, 'link'))).toBe('bin/tool');
    expect(readFileSync(join(out, 'hard'), 'utf8')).toBe('text');
    expect(statSync(join(out, 'readme')).mtimeMs).toBe(1_500_000_000_000);
    expect(statSync(join(out, 'empty')).isDirectory()).toBe(true);
  });

  it('reads xz without the tool of that name', async () => {
    const out = await unpacked('a.tar.xz', XZ);
    expect(readFileSync(join(out, 'hello.txt'), 'utf8')).toBe('hello from xz\n');
  });

  it('takes data.tar out of a Debian package, and only what is picked', async () => {
    const data = gzipSync(
      await tar([
        { name: './usr/sbin/x', body: 'x' },
        { name: './usr/doc', body: 'd' },
      ]),
    );
    const deb = ar([
      { name: 'debian-binary', body: Buffer.from('2.0\n') },
      { name: 'control.tar.gz', body: Buffer.from('odd') },
      { name: 'data.tar.gz', body: data },
    ]);
    const pick = (path: string) => (path === 'usr/sbin/x' ? 'sbin/x' : undefined);
    const out = await unpacked('a.deb', deb, { pick });
    expect(await readdir(out, { recursive: true })).toEqual(['sbin', 'sbin/x']);
    await expect(unpacked('cut.deb', deb.subarray(0, -20))).rejects.toThrow('cut off');
    await expect(unpacked('no.deb', Buffer.from('MZ'))).rejects.toThrow('no ar signature');
    await expect(unpacked('none.deb', ar([]))).rejects.toThrow('no data.tar');
  });

  it('leads absolute links of a Debian package to the copy, and drops those whose target is left out', async () => {
    const data = gzipSync(
      await tar([
        { name: './etc/java/net.conf', body: 'x' },
        { name: './usr/lib/jvm/conf/net.conf', type: 'symlink', linkname: '/etc/java/net.conf' },
        { name: './usr/lib/jvm/cacerts', type: 'symlink', linkname: '/etc/ssl/cacerts' },
        { name: './usr/lib/jvm/out', type: 'symlink', linkname: '/../../x' },
      ]),
    );
    const members = [{ name: 'data.tar.gz', body: data }];
    const pick = (path: string) => (path.startsWith('etc/ssl') ? undefined : path);
    const out = await unpacked('java.deb', ar(members), { pick });
    expect(await readFile(join(out, 'usr/lib/jvm/conf/net.conf'), 'utf8')).toBe('x');
    expect(await readdir(join(out, 'usr/lib/jvm'))).toEqual(['conf', 'out']);
    await expect(readFile(join(out, 'usr/lib/jvm/out'))).rejects.toThrow('ENOENT');
  });

  it('keeps modes and links of a zip', async () => {
    const zip = new ZipFile();
    zip.addBuffer(Buffer.from('run'), 'bin/tool', { mode: 0o100755 });
    zip.addBuffer(Buffer.from('tool'), 'bin/link', { mode: 0o120777 });
    zip.end();
    const out = await unpacked('a.zip', await buffer(zip.outputStream));
    expect(statSync(join(out, 'bin/tool')).mode & 0o777).toBe(0o755);
    expect(lstatSync(join(out, 'bin/link')).isSymbolicLink()).toBe(true);
  });

  it.each<[string, Entry[]]>([
    ['a name with ..', [{ name: '../evil', body: 'x' }]],
    ['a name with .. inside', [{ name: 'a/../../evil', body: 'x' }]],
    ['an absolute name', [{ name: '/tmp/evil', body: 'x' }]],
    ['a symlink that leads out', [{ name: 'l', type: 'symlink', linkname: '../../evil' }]],
    ['an absolute symlink', [{ name: 'l', type: 'symlink', linkname: '/etc/passwd' }]],
    ['a hard link that leads out', [{ name: 'l', type: 'link', linkname: '../../evil' }]],
    [
      'a file through a link of its own making',
      [
        { name: 'd/', type: 'directory' },
        { name: 'l', type: 'symlink', linkname: 'd' },
        { name: 'l/evil', body: 'x' },
      ],
    ],
    ['a device', [{ name: 'null', type: 'character-device' }]],
  ])('refuses %s', async (_what, entries) => {
    await writeFile(join(temp.path, 'victim'), 'untouched');
    await expect(unpacked('a.tar', await tar(entries))).rejects.toThrow(/refused|leaves|writes through/);
    expect(existsSync(join(temp.path, 'evil'))).toBe(false);
    expect(existsSync(join(temp.path, 'out/evil'))).toBe(false);
    expect(existsSync('/tmp/evil')).toBe(false);
    expect(readFileSync(join(temp.path, 'victim'), 'utf8')).toBe('untouched');
  });

  it('fails on an archive that is cut off or of an unknown kind', async () => {
    const whole = gzipSync(await tar(files));
    await expect(unpacked('a.tgz', whole.subarray(0, whole.length - 30))).rejects.toThrow();
    await expect(unpacked('a.tgz', Buffer.from('no gzip'))).rejects.toThrow();
    await expect(unpacked('a.rar', whole)).rejects.toThrow('unknown way');
  });
});
