import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StackStore } from '../../../src/machine/stack/store.ts';
import { dockerArchive, type Item, ociLayout, shellItems, tarOf } from '../../support/mini-stack.ts';

let home: string;
let store: StackStore;
const signal = new AbortController().signal;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'stager-stack-test-'));
  store = new StackStore(join(home, 'stacks'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

async function addTar(items: readonly Item[], pack: (tar: Buffer) => Buffer = (tar) => tar): Promise<string> {
  const file = join(home, 'rootfs.tar');
  writeFileSync(file, pack(await tarOf(items)));
  const info = await store.add('mini', file, { signal });
  if (info.kind === 'host') throw new Error('unexpected');
  return info.path;
}

function layout(files: ReadonlyMap<string, Buffer>): string {
  const directory = join(home, 'image');
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), bytes);
  }
  return directory;
}

const nothingLeft = (): void => {
  expect(existsSync(join(home, 'stacks', 'new')) ? readdirSync(join(home, 'stacks', 'new')) : []).toEqual([]);
  expect(existsSync(join(home, 'stacks', 'trees'))).toBe(false);
};

describe('the stacks', () => {
  it('are told by the path of their record when one bit of it is another', async () => {
    const path = await addTar(shellItems());
    const record = join(path, '../../../names/mini.json');
    const text = readFileSync(record, 'utf8');
    for (const part of ['"source": "', '"digest": "', '"sealed": "', '"addedAt": "']) {
      const bytes = Buffer.from(text);
      const at = text.indexOf(part) + part.length;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(record, bytes);
      await expect(store.resolve('mini')).rejects.toMatchObject({
        code: 'STACK_INVALID',
        next: expect.stringContaining('names/mini.json'),
      });
    }
  });

  it('always have the machine itself', async () => {
    const [host, ...others] = await store.list();
    expect(host).toMatchObject({ name: 'host', kind: 'host' });
    expect(others).toEqual([]);
    expect(await store.resolve('host')).toMatchObject({ rootfs: { kind: 'host' } });
    await expect(store.remove('host')).rejects.toMatchObject({ code: 'USAGE' });
  });

  it.each([
    ['plain', (tar: Buffer) => tar],
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('take a tar that is packed with %s, without set-id bits', async (_, pack) => {
    const path = await addTar(shellItems(), pack);
    expect(readlinkSync(join(path, 'bin'))).toBe('usr/bin');
    expect(lstatSync(join(path, 'usr/bin/sh')).mode & 0o7777).toBe(0o755);
    expect(await store.show('mini')).toMatchObject({ kind: 'tar', description: 'Mini 1.0', name: 'mini' });
    expect(await store.resolve('mini')).toMatchObject({ rootfs: { kind: 'directory', path } });
  });

  it('leave device nodes and pipes out', async () => {
    const path = await addTar([
      ...shellItems(),
      { name: 'dev/mem', type: 'character-device' },
      { name: 'run/pipe', type: 'fifo' },
    ]);
    expect(existsSync(join(path, 'dev/mem'))).toBe(false);
    expect(existsSync(join(path, 'run/pipe'))).toBe(false);
  });

  it('take a directory, with hard links as such and a digest that goes by the content', async () => {
    const tree = await addTar([
      ...shellItems(),
      { name: 'a', content: 'x' },
      { name: 'b', type: 'link', linkname: 'a' },
    ]);
    const one = await store.add('one', tree, { signal });
    const two = await store.add('two', tree, { signal });
    expect(one.digest).toBe(two.digest);
    if (one.kind === 'host') throw new Error('unexpected');
    expect(lstatSync(join(one.path, 'a')).ino).toBe(lstatSync(join(one.path, 'b')).ino);
    writeFileSync(join(tree, 'a'), 'y');
    expect((await store.add('three', tree, { signal })).digest).not.toBe(one.digest);
  });

  it('take an OCI layout, with whiteouts', async () => {
    const lower = await tarOf([
      ...shellItems(),
      { name: 'gone', content: 'x' },
      { name: 'dir/old', content: 'x' },
      { name: 'kept/file', content: 'x' },
    ]);
    const upper = await tarOf([
      { name: '.wh.gone' },
      { name: 'dir/.wh..wh..opq' },
      { name: 'dir/new', content: 'y' },
      { name: 'bin/tool', content: 'through the link', mode: 0o755 },
    ]);
    const info = await store.add('image', layout(ociLayout([lower, upper])), { signal });
    if (info.kind !== 'oci') throw new Error(info.kind);
    expect(existsSync(join(info.path, 'gone'))).toBe(false);
    expect(readdirSync(join(info.path, 'dir'))).toEqual(['new']);
    expect(readdirSync(join(info.path, 'kept'))).toEqual(['file']);
    expect(readFileSync(join(info.path, 'usr/bin/tool'), 'utf8')).toBe('through the link');
  });

  it('take a docker-archive, links between layers included', async () => {
    const file = join(home, 'image.tar');
    writeFileSync(
      file,
      await tarOf(dockerArchive([await tarOf(shellItems()), await tarOf([{ name: 'top' }])])),
    );
    const info = await store.add('image', file, { signal });
    if (info.kind !== 'docker') throw new Error(info.kind);
    expect(readdirSync(info.path)).toContain('top');
    expect(readdirSync(join(info.path, '..')).sort()).toEqual(['rootfs', 'tree.seal', 'users']);
  });

  it('refuse an image of which a byte was changed', async () => {
    const files = ociLayout([await tarOf(shellItems())]);
    const [name = ''] = [...files.keys()];
    const bytes = Buffer.from(files.get(name) ?? '');
    bytes[9] = (bytes[9] ?? 0) ^ 1;
    files.set(name, bytes);
    const failed = store.add('image', layout(files), { signal });
    await expect(failed).rejects.toMatchObject({ code: 'STACK_INVALID' });
    nothingLeft();
  });

  it('refuse a docker-archive whose layer is a link out of it', async () => {
    const items = dockerArchive([await tarOf(shellItems())]).map((item) =>
      item.type === 'symlink' ? { ...item, linkname: '../../../../../../../../etc/passwd' } : item,
    );
    const file = join(home, 'image.tar');
    writeFileSync(file, await tarOf(items));
    await expect(store.add('image', file, { signal })).rejects.toThrow(/layer0\/layer.tar is missing/);
    nothingLeft();
  });

  it.each([
    ['a path with ..', [{ name: '../victim', content: 'evil' }]],
    ['a path with .. in the middle', [{ name: 'usr/../../victim', content: 'evil' }]],
    ['a hard link to a file outside', [{ name: 'x', type: 'link', linkname: '../../../victim' }]],
    ['a whiteout of its parent', [{ name: 'usr/.wh...' }]],
  ] satisfies [string, Item[]][])('refuse %s', async (_, items) => {
    const victim = join(home, 'victim');
    writeFileSync(victim, 'untouched');
    const evil = await tarOf([...shellItems(), ...items]);
    const failed = store.add('evil', layout(ociLayout([await tarOf(shellItems()), evil])), { signal });
    await expect(failed).rejects.toMatchObject({ code: 'STACK_INVALID' });
    expect(readFileSync(victim, 'utf8')).toBe('untouched');
    nothingLeft();
  });

  it.each(['file', 'directory', 'link'] as const)(
    'write no %s through a link that leads out',
    async (type) => {
      const outside = join(home, 'outside');
      mkdirSync(outside);
      const path = await addTar([
        ...shellItems(),
        { name: 'out', type: 'symlink', linkname: outside },
        { name: 'up', type: 'symlink', linkname: '../../../../../../../..' },
        { name: `up${outside}/one`, type, linkname: 'etc/os-release' },
        { name: 'out/two', type, linkname: 'etc/os-release' },
      ]);
      expect(readdirSync(outside)).toEqual([]);
      // Inside the stack the same links lead to directories of the stack.
      expect(readdirSync(join(path, outside)).sort()).toEqual(['one', 'two']);
    },
  );

  it('refuse what has no shell, and say so', async () => {
    await expect(addTar([{ name: 'etc/passwd', content: 'x' }])).rejects.toThrow(/no usable \/bin\/sh/);
    nothingLeft();
  });

  it('refuse a file that is not a tar, and xz by name', async () => {
    writeFileSync(join(home, 'noise'), Buffer.alloc(5000, 'x'));
    await expect(store.add('x', join(home, 'noise'), { signal })).rejects.toMatchObject({
      code: 'STACK_INVALID',
    });
    writeFileSync(join(home, 'xz'), Buffer.from('fd377a585a000004', 'hex'));
    await expect(store.add('x', join(home, 'xz'), { signal })).rejects.toThrow(/compressed with xz/);
    await expect(store.add('x', join(home, 'absent'), { signal })).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
    });
  });

  it('say which are known when one is not', async () => {
    await addTar(shellItems());
    await expect(store.resolve('other')).rejects.toThrow('there is no stack "other"; known: host, mini');
    await expect(store.show('../names/mini')).rejects.toMatchObject({ code: 'STACK_NOT_FOUND' });
    await expect(store.add('../x', home, { signal })).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('keep the old files for who uses them when a name is given to others', async () => {
    const old = await addTar(shellItems());
    await store.resolve('mini');
    const fresh = await addTar([...shellItems(), { name: 'new' }]);
    expect(existsSync(join(old, 'usr/bin/sh'))).toBe(true);
    expect(fresh).not.toBe(old);
    expect(await store.resolve('mini')).toMatchObject({ rootfs: { path: fresh } });
  });

  it('are not removed while they are used', async () => {
    const path = await addTar(shellItems());
    await store.resolve('mini');
    await expect(store.remove('mini')).rejects.toThrow(`in use by process ${process.pid}`);
    const users = join(path, '..', 'users');
    for (const name of readdirSync(users)) rmSync(join(users, name));
    // A process that has ended: the start time is another.
    writeFileSync(
      join(users, `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}.1.1.1.use`),
      '',
    );
    await expect(store.remove('mini')).rejects.toMatchObject({ code: 'USAGE' });
    for (const name of readdirSync(users)) rmSync(join(users, name));
    await store.remove('mini');
    expect(existsSync(path)).toBe(false);
    expect(await store.list()).toHaveLength(1);
  });

  it('are verified at use: what changed is unpacked again from where it came from', async () => {
    const path = await addTar([...shellItems(), { name: 'file', content: 'one' }]);
    expect(await store.resolve('mini')).not.toHaveProperty('notice');
    writeFileSync(join(path, 'file'), 'two');
    const healed = await store.resolve('mini');
    expect(healed).toMatchObject({ notice: expect.stringContaining(join(path, 'file')) });
    if (healed.rootfs.kind === 'host') throw new Error('unexpected');
    expect(readFileSync(join(healed.rootfs.path, 'file'), 'utf8')).toBe('one');
    expect(await store.resolve('mini')).not.toHaveProperty('notice');
  });

  it('are refused by name when they changed and their source is gone or another one', async () => {
    const path = await addTar([...shellItems(), { name: 'file', content: 'one' }]);
    rmSync(join(path, 'file'));
    writeFileSync(join(home, 'rootfs.tar'), await tarOf([...shellItems(), { name: 'file', content: 'new' }]));
    const refused = { code: 'STACK_INVALID', message: expect.stringContaining(join(path, 'file')) };
    await expect(store.resolve('mini')).rejects.toMatchObject(refused);
    rmSync(join(home, 'rootfs.tar'));
    await expect(store.resolve('mini')).rejects.toMatchObject(refused);
  });

  it('need the seal that was written when they were added', async () => {
    const path = await addTar([...shellItems(), { name: 'file', content: 'one' }]);
    writeFileSync(join(path, 'file'), 'two');
    rmSync(join(path, '../tree.seal'));
    expect(await store.resolve('mini')).toMatchObject({ notice: expect.stringContaining('tree.seal') });
  });
});
