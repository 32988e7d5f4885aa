import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { gzipMember, readMemberHeader } from '../../../src/staging/droplet/tar/gzip-member.ts';
import { unpackTarball } from '../../../src/staging/droplet/unpack/unpack.ts';
import { placeLater } from '../../../src/staging/droplet/unpack/unpack-later.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { everything, packed, put, scratch, unpacked } from './trees.ts';

/** What a tree holds; the times of directories and links are none of it. */
function look(root: string): string {
  const script =
    "cd \"$1\" && find . -type f -printf '%p %m %Ts %n\\n' | sort; find . ! -type f ! -name . -printf '%p %y %m %l\\n' | sort; find . -type f -exec sha256sum {} + | sort";
  return execFileSync('sh', ['-c', script, 'sh', root], { encoding: 'utf8' });
}

interface Hostile {
  readonly name: string;
  readonly type?: 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'block-device' | 'fifo';
  readonly linkname?: string;
  readonly content?: string;
  readonly mode?: number;
}

async function tarOf(entries: readonly Hostile[]): Promise<Buffer> {
  const archive = pack();
  for (const { name, type = 'file', linkname, content, mode = 0o644 } of entries) {
    archive.entry({ name, type, mode, ...(linkname === undefined ? {} : { linkname }) }, content ?? '');
  }
  archive.finalize();
  return await buffer(archive);
}

/** A header of another kind, followed by what it was followed by. */
function retyped(raw: Buffer, kind: string): Buffer {
  const other = Buffer.from(raw);
  other.write(kind, 156, 'latin1');
  other.fill(' ', 148, 156);
  const sum = other.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  other.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return other;
}

/** `raw` as our own joined members, so that the parallel way is attacked as well. */
function asOwnMember(raw: Buffer): Buffer {
  return gzipMember(raw, [deflateRawSync(raw)], false);
}

const wrappings = [
  ['plain', (raw: Buffer) => raw],
  ['gzip', (raw: Buffer) => gzipSync(raw)],
  ['zstd', (raw: Buffer) => zstdCompressSync(raw)],
  ['our own gzip members', asOwnMember],
] as const;

describe('unpacking', () => {
  it.each([{ codec: 'gzip', level: 4 }, { codec: 'zstd', level: 3 }, { codec: 'none' }] as const)(
    'gives back the tree that was packed as $codec',
    async (compression) => {
      using dir = scratch();
      everything(dir.at('tree'));
      const { bytes } = await packed(dir.at('tree'), { compression });
      const summary = await unpacked(bytes, dir.at('out'), { threads: 2 });
      execFileSync('chmod', ['755', dir.at('tree', 'set-id')]);
      expect(look(dir.at('out'))).toBe(look(dir.at('tree')));
      expect(summary.files).toBe(11);
      expect((await packed(dir.at('out'))).bytes.equals((await packed(dir.at('tree'))).bytes)).toBe(true);
    },
  );

  it.each(['gnu', 'pax', 'ustar'])('reads what GNU tar made with --format=%s', async (format) => {
    using dir = scratch();
    everything(dir.at('tree'));
    execFileSync('rm', [
      '-rf',
      ...(format === 'ustar' ? [dir.at('tree', 'n'.repeat(120)), dir.at('tree', 'broken')] : []),
    ]);
    execFileSync('tar', [`--format=${format}`, '-czf', dir.at('x.tgz'), '-C', dir.at('tree'), '.']);
    await unpacked(readFileSync(dir.at('x.tgz')), dir.at('out'));
    execFileSync('chmod', ['755', dir.at('tree', 'set-id')]);
    expect(look(dir.at('out'))).toBe(look(dir.at('tree')));
  });

  it.skipIf(!isRoot)(`gives everything to the owner that it is told${unlessRoot}`, async () => {
    using dir = scratch();
    everything(dir.at('tree'));
    await unpacked((await packed(dir.at('tree'))).bytes, dir.at('out'), { owner: { uid: 2000, gid: 2001 } });
    const owners = execFileSync('find', [dir.at('out'), '-printf', '%U:%G\\n'], { encoding: 'utf8' });
    expect(new Set(owners.trim().split('\n'))).toEqual(new Set(['2000:2001']));
  });

  it('drops set-user-id and set-group-id bits', async () => {
    using dir = scratch();
    await unpacked(await tarOf([{ name: 'x', content: 'x', mode: 0o6755 }]), dir.at('out'));
    expect(statSync(dir.at('out', 'x')).mode & 0o7777).toBe(0o755);
  });

  it('keeps sticky bits', async () => {
    using dir = scratch();
    await unpacked(await tarOf([{ name: 'd', type: 'directory', mode: 0o1777 }]), dir.at('out'));
    expect(statSync(dir.at('out', 'd')).mode & 0o7777).toBe(0o1777);
  });

  it('makes more directories than a thread remembers', async () => {
    using dir = scratch();
    const many = Array.from({ length: 20_500 }, (_, i) => ({ name: `d${i}`, type: 'directory' }) as const);
    const entries = [...many, { name: 'd0/f', content: 'x' }, { name: 'd20499/f', content: 'y' }];
    const summary = await unpacked(await tarOf(entries), dir.at('out'));
    expect(summary).toMatchObject({ directories: 20_500, files: 2 });
  });

  it('keeps links to /app and /home/vcap as they are', async () => {
    using dir = scratch();
    await unpacked(await tarOf([{ name: 'l', type: 'symlink', linkname: '/home/vcap/app' }]), dir.at('out'));
    expect(readlinkSync(dir.at('out', 'l'))).toBe('/home/vcap/app');
  });
});

describe.each(wrappings)('a hostile archive (%s)', (_name, wrap) => {
  const attacks: readonly (readonly [string, readonly Hostile[]])[] = [
    ['with .. in a name', [{ name: '../victim', content: 'evil' }]],
    ['with .. inside a name', [{ name: 'a/../../victim', content: 'evil' }]],
    ['with an absolute name', [{ name: '/tmp/../victim', content: 'evil' }]],
    [
      'that writes through its own symlink',
      [
        { name: 'link', type: 'symlink', linkname: '..' },
        { name: 'link/victim', content: 'evil' },
      ],
    ],
    [
      'that replaces a symlink to a file by writing to it',
      [
        { name: 'link', type: 'symlink', linkname: '../victim' },
        { name: 'link', content: 'evil' },
      ],
    ],
    [
      'that turns a directory into a symlink',
      [
        { name: 'dir', type: 'directory' },
        { name: 'dir', type: 'symlink', linkname: '..' },
        { name: 'dir/victim', content: 'evil' },
      ],
    ],
    ['with a hard link to a file outside', [{ name: 'x', type: 'link', linkname: '../victim' }]],
    ['with a hard link to an absolute name', [{ name: 'x', type: 'link', linkname: '/etc/passwd' }]],
    [
      'with a hard link through its own symlink',
      [
        { name: 'link', type: 'symlink', linkname: '..' },
        { name: 'x', type: 'link', linkname: 'link/victim' },
      ],
    ],
    ['with a hard link to nothing', [{ name: 'x', type: 'link', linkname: 'nothing' }]],
    [
      'with the same file twice',
      [
        { name: 'x', content: 'one' },
        { name: './x', content: 'two' },
      ],
    ],
    ['with a device', [{ name: 'sda', type: 'block-device' }]],
    ['with a named pipe', [{ name: 'pipe', type: 'fifo' }]],
    ['with an empty segment in a name', [{ name: 'a//b', content: 'x' }]],
  ];

  it.each(attacks)('%s is refused and touches nothing', async (_attack, entries) => {
    using dir = scratch();
    put(dir.at('victim'), 'untouched');
    const before = statSync(dir.at('victim'));
    const unpacking = unpacked(wrap(await tarOf(entries)), dir.at('out'));
    await expect(unpacking).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
    expect(readFileSync(dir.at('victim'), 'utf8')).toBe('untouched');
    expect(statSync(dir.at('victim')).nlink).toBe(before.nlink);
  });

  it('does not write through a link that was there before', async () => {
    using dir = scratch();
    mkdirSync(dir.at('outside'));
    mkdirSync(dir.at('out'));
    symlinkSync(dir.at('outside'), dir.at('out', 'app'));
    const unpacking = unpacked(wrap(await tarOf([{ name: 'app/x', content: 'evil' }])), dir.at('out'));
    await expect(unpacking).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
    expect(existsSync(dir.at('outside', 'x'))).toBe(false);
  });

  it('does not replace a file that was there before', async () => {
    using dir = scratch();
    put(dir.at('out', 'x'), 'mine');
    const unpacking = unpacked(wrap(await tarOf([{ name: 'x', content: 'evil' }])), dir.at('out'));
    await expect(unpacking).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
    expect(readFileSync(dir.at('out', 'x'), 'utf8')).toBe('mine');
  });

  it('with more entries or bytes than allowed is refused', async () => {
    using dir = scratch();
    const raw = await tarOf(Array.from({ length: 30 }, (_, i) => ({ name: `f${i}`, content: 'x' })));
    const limited = (limits: { bytes?: number; entries?: number }, to: string): Promise<unknown> =>
      unpacked(wrap(raw), dir.at(to), { limits });
    await expect(limited({ entries: 29 }, 'a')).rejects.toMatchObject({ message: /29 entries/ });
    await expect(limited({ bytes: 30 * 1024 - 1 }, 'b')).rejects.toMatchObject({ message: /bytes/ });
    await expect(limited({ entries: 30, bytes: raw.length }, 'c')).resolves.toMatchObject({ files: 30 });
  });

  it('that ends early or goes on behind its end is refused', async () => {
    using dir = scratch();
    const raw = await tarOf([{ name: 'x', content: 'x'.repeat(5000) }]);
    for (const [i, bad] of [
      raw.subarray(0, 2048),
      raw.subarray(0, 5632),
      Buffer.concat([raw, raw]),
    ].entries()) {
      await expect(unpacked(wrap(bad), dir.at(`out${i}`))).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
    }
  });
});

describe('an archive that wants to be endless', () => {
  it.each(['L', 'K', 'x', 'g'])('by entries of kind %s before no entry is refused', async (kind) => {
    using dir = scratch();
    const content =
      kind === 'x' || kind === 'g' ? `1048576 comment=${'c'.repeat(1_048_559)}\n` : 'n'.repeat(1 << 20);
    const meta = retyped((await tarOf([{ name: 'meta', content }])).subarray(0, 512 + (1 << 20)), kind);
    const bomb = gzipSync(Buffer.concat([meta, meta, meta, meta, meta]));
    await expect(unpacked(bomb, dir.at('out'))).rejects.toMatchObject({
      code: 'DROPLET_INVALID',
      message: expect.stringContaining('long names without entries'),
    });
  });

  it('by zeros behind its end is refused', async () => {
    using dir = scratch();
    const end = await tarOf([{ name: 'x', content: 'x' }]);
    const padded = (bytes: number): Buffer => gzipSync(Buffer.concat([end, Buffer.alloc(bytes)]));
    await unpacked(padded(1 << 20), dir.at('good'));
    await expect(unpacked(padded(17 << 20), dir.at('bad'))).rejects.toMatchObject({
      code: 'DROPLET_INVALID',
    });
  });
});

describe('a damaged archive', () => {
  it('is refused wherever a byte was flipped, or unpacks to the same content', async () => {
    using dir = scratch();
    put(dir.at('tree', 'file'), createHash('sha512').update('seed').digest('hex').repeat(40));
    const { bytes } = await packed(dir.at('tree'));
    const good = look(dir.at('tree'));
    for (let at = 0; at < bytes.length; at += 17) {
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] ?? 0) ^ 0x10;
      const out = dir.at(`out${at}`);
      const failure = await unpacked(bad, out, { threads: 1 }).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined) expect(look(out)).toBe(good);
      else expect(failure).toMatchObject({ code: 'DROPLET_INVALID' });
    }
  });

  it('with a member that claims another length, or is a piece of no file, is refused', async () => {
    using dir = scratch();
    const raw = await tarOf([{ name: 'x', content: 'x' }]);
    const lying = asOwnMember(raw);
    lying.writeUInt32LE(raw.length - 512, 20);
    const piece = gzipMember(raw, [deflateRawSync(raw)], true);
    expect(readMemberHeader(piece)?.piece).toBe(true);
    for (const [i, bad] of [
      lying,
      piece,
      Buffer.concat([asOwnMember(raw), gzipSync('x')]),
      Buffer.alloc(0),
    ].entries()) {
      await expect(unpacked(bad, dir.at(`out${i}`))).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
    }
  });

  it('with a name that is too long for the machine is refused', async () => {
    using dir = scratch();
    const name = `${'n'.repeat(254)}/`.repeat(16);
    await expect(
      unpacked(await tarOf([{ name: `${name}f`, content: 'x' }]), dir.at('out')),
    ).rejects.toMatchObject({
      code: 'DROPLET_INVALID',
      message: expect.stringContaining('ENAMETOOLONG'),
    });
  });

  it('that is a bomb is refused before it fills the disk', async () => {
    using dir = scratch();
    const archive = pack();
    archive.entry({ name: 'bomb' }, Buffer.alloc(64 * 1024 * 1024));
    archive.finalize();
    const bomb = gzipSync(await buffer(archive));
    const limits = { bytes: 4 * 1024 * 1024 };
    await expect(unpacked(bomb, dir.at('out'), { limits })).rejects.toMatchObject({
      code: 'DROPLET_INVALID',
    });
    expect(lstatSync(dir.at('out', 'bomb')).size).toBeLessThanOrEqual(limits.bytes);
  });

  it('stops at the signal', async () => {
    using dir = scratch();
    everything(dir.at('tree'));
    const { bytes } = await packed(dir.at('tree'));
    const unpacking = unpacked(bytes, dir.at('out'), { signal: AbortSignal.abort() });
    await expect(unpacking).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('stops at the signal while it waits for bytes, and while it places links', async () => {
    using dir = scratch();
    const controller = new AbortController();
    const { signal } = controller;
    const silent = new Readable({ read: () => controller.abort() });
    const unpacking = unpackTarball(silent, dir.at('out'), { signal, what: 'the droplet', threads: 1 });
    await expect(unpacking).rejects.toMatchObject({ code: 'CANCELLED' });
    const link = { type: 'symlink', path: 'l', mode: 0o777, size: 0, mtime: 0, link: 'x' } as const;
    const placing = placeLater([link], { dest: dir.at('out'), owner: undefined, signal });
    await expect(placing).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(readdirSync(dir.at('out'))).toEqual([]);
  });
});
