import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { buildCacheContents, dropletContents } from '../../../src/staging/droplet/contents.ts';
import { packEntries, packTarball } from '../../../src/staging/droplet/pack/tarball.ts';
import { BIG_FILE, BLOCK_BYTES, membersOf } from '../../../src/staging/droplet/tar/members.ts';
import { type TreeEntry, walkRoots } from '../../../src/staging/droplet/tar/tree-walk.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { findGo, type Listed, readWithGo, readWithNode, readWithPython } from './readers/readers.ts';
import { bytesOf, everything, packed, put, scratch } from './trees.ts';

const go = findGo();
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const nameOf = (entry: Listed): string => Buffer.from(entry.name, 'hex').toString('utf8');
const signal = new AbortController().signal;

describe('a packed tree', () => {
  it('is read by GNU tar as the tree that it was', async () => {
    using dir = scratch();
    everything(dir.at('tree'));
    writeFileSync(dir.at('x.tgz'), (await packed(dir.at('tree'))).bytes);
    mkdirSync(dir.at('out'));
    execFileSync('tar', ['-xpzf', dir.at('x.tgz'), '-C', dir.at('out'), '--no-same-owner']);
    chmodSync(dir.at('tree', 'set-id'), 0o755);
    const look = (root: string): string =>
      execFileSync(
        'sh',
        [
          '-c',
          `cd "$1" && find . -type f -printf '%p %m %T@ %n\\n' | sort; find . ! -type f -printf '%p %y %m %l\\n' | sort; find . -type f -exec sha256sum {} + | sort`,
          'sh',
          root,
        ],
        { encoding: 'utf8' },
      );
    const before = look(dir.at('tree'));
    expect(look(dir.at('out')).replaceAll(/^\. d .*$/gm, '')).toBe(before.replaceAll(/^\. d .*$/gm, ''));
  });

  it.skipIf(go === undefined)(
    'is read by Go, Python and Node with the same entries and contents',
    async () => {
      using dir = scratch();
      everything(dir.at('tree'));
      writeFileSync(dir.at('x.tgz'), (await packed(dir.at('tree'))).bytes);
      const byGo = readWithGo(go ?? '', dir.at('x.tgz'));
      expect(byGo).toContainEqual({
        name: Buffer.from('./big').toString('hex'),
        type: '0',
        mode: 0o644,
        size: 2_500_001,
        link: '',
        owner: 'vcap:vcap 2000:2000',
        digest: sha256(bytesOf(2_500_001, 1)),
      });
      expect(readWithPython(dir.at('x.tgz'))).toEqual(
        byGo.map((e) => (e.type === '1' ? expect.anything() : e)),
      );
      expect(await readWithNode(dir.at('x.tgz'))).toEqual(byGo);
    },
  );

  it('is read by Python with names that are not UTF-8', async () => {
    using dir = scratch();
    mkdirSync(dir.at('tree'));
    put(Buffer.concat([Buffer.from(`${dir.at('tree')}/`), Buffer.from([0x66, 0xff, 0xfe])]), 'bytes');
    writeFileSync(dir.at('x.tgz'), (await packed(dir.at('tree'))).bytes);
    const [, file] = readWithPython(dir.at('x.tgz'));
    expect(file?.name).toBe(
      Buffer.concat([Buffer.from('./'), Buffer.from([0x66, 0xff, 0xfe])]).toString('hex'),
    );
    expect(file?.digest).toBe(sha256(Buffer.from('bytes')));
  });

  it('says which sizes and times do not fit into octal digits the way GNU tar does', async () => {
    using dir = scratch();
    mkdirSync(dir.at('tree'));
    put(dir.at('tree', 'old'), 'before 1970');
    execFileSync('touch', ['-d', '1965-03-04 05:06:07 UTC', dir.at('tree', 'old')]);
    writeFileSync(dir.at('x.tgz'), (await packed(dir.at('tree'))).bytes);
    const list = execFileSync('tar', ['-tvzf', dir.at('x.tgz'), '--utc'], { encoding: 'utf8' });
    expect(list).toContain('1965-03-04 05:06');
  });
});

describe('the same tree', () => {
  it('gives the same bytes with any number of threads, with a full cache and with an empty one', async () => {
    using dir = scratch();
    everything(dir.at('tree'));
    const { bytes } = await packed(dir.at('tree'), { threads: 1 });
    const memberCache = dir.at('cache');
    const filling = await packed(dir.at('tree'), { threads: 3, memberCache });
    const cached = await packed(dir.at('tree'), { threads: 2, memberCache });
    expect(filling.bytes.equals(bytes)).toBe(true);
    expect(cached.bytes.equals(bytes)).toBe(true);
    expect(filling.summary.cachedMembers).toBe(0);
    expect(cached.summary.cachedMembers).toBe(cached.summary.members);
  });

  it('gives the same bytes when its directories and links were made again', async () => {
    using dir = scratch();
    everything(dir.at('one'));
    everything(dir.at('two'));
    expect((await packed(dir.at('two'))).bytes.equals((await packed(dir.at('one'))).bytes)).toBe(true);
  });

  it('differs by file times unless all of them are set to SOURCE_DATE_EPOCH', async () => {
    using dir = scratch();
    put(dir.at('tree', 'file'), 'content');
    const kept = await packed(dir.at('tree'));
    const set = await packed(dir.at('tree'), { sourceDateEpoch: 1_700_000_000 });
    execFileSync('touch', ['-d', '2001-01-01', dir.at('tree', 'file')]);
    expect((await packed(dir.at('tree'))).bytes.equals(kept.bytes)).toBe(false);
    const again = await packed(dir.at('tree'), { sourceDateEpoch: 1_700_000_000 });
    expect(again.bytes.equals(set.bytes)).toBe(true);
  });

  it.each([{ codec: 'zstd', level: 3 }, { codec: 'none' }, { codec: 'gzip', level: 9 }] as const)(
    'holds the same tar as $codec',
    async (compression) => {
      using dir = scratch();
      everything(dir.at('tree'));
      const plain = (await packed(dir.at('tree'), { compression: { codec: 'none' } })).bytes;
      const { bytes } = await packed(dir.at('tree'), { compression, memberCache: dir.at('cache') });
      writeFileSync(dir.at('x'), bytes);
      const tools = { zstd: ['zstd', '-dc'], gzip: ['gzip', '-dc'], none: ['cat'] } as const;
      const [tool, ...args] = tools[compression.codec];
      const raw = execFileSync(tool, [...args, dir.at('x')], { maxBuffer: 64 * 1024 * 1024 });
      expect(raw.equals(plain)).toBe(true);
    },
  );
});

describe('the member cache', () => {
  it('tells apart a member and a file whose block has the same bytes', async () => {
    using dir = scratch();
    const memberCache = dir.at('cache');
    for (let i = 0; i < 150; i++) put(dir.at('small', `f${i}`), bytesOf(20_000, i));
    const tar = (await packed(dir.at('small'), { compression: { codec: 'none' } })).bytes;
    const compression = { codec: 'gzip', level: 5 } as const;
    await packed(dir.at('small'), { memberCache, compression });
    const walk = walkRoots(buildCacheContents(dir.at('small')), { onSkipped: () => {}, atEnd: () => {} });
    let at = 0;
    let copied = 0;
    for (const { rawBytes } of membersOf(walk)) {
      const fitsOneBlock = rawBytes > BIG_FILE && rawBytes <= BLOCK_BYTES;
      if (fitsOneBlock) put(dir.at('copy', `block${copied++}`), tar.subarray(at, at + rawBytes));
      at += rawBytes;
    }
    expect(copied).toBeGreaterThan(0);
    const cached = await packed(dir.at('copy'), { memberCache, compression });
    expect(cached.bytes.equals((await packed(dir.at('copy'), { compression })).bytes)).toBe(true);
  });
});

describe('a droplet', () => {
  it('has app, deps, logs, profile.d, staging_info.yml and tmp at its top, owned by vcap', async () => {
    using dir = scratch();
    put(dir.at('app', 'server.js'), 'listen()');
    put(dir.at('deps', '0', 'bin', 'node'), 'node', 0o755);
    const directories = { app: dir.at('app'), deps: dir.at('deps'), profileD: dir.at('no-profile.d') };
    const tarball = packTarball(dropletContents(directories, '{"start_command":"x"}\n'), { signal });
    writeFileSync(dir.at('x.tgz'), await buffer(tarball.body));
    const list = readWithPython(dir.at('x.tgz'));
    expect(list.map(nameOf)).toEqual(
      [
        './',
        './app/',
        './app/server.js',
        './deps/',
        './deps/0/',
        './deps/0/bin/',
        './deps/0/bin/node',
        './logs/',
        './profile.d/',
        './staging_info.yml',
        './tmp/',
      ].map((name) => (name === './' ? expect.stringMatching(/^\.\/?\/?$/) : name)),
    );
    expect(new Set(list.map((entry) => entry.owner))).toEqual(new Set(['vcap:vcap 2000:2000']));
  });

  it('never holds a set-user-id bit, a socket or a pipe, and says what was left out', async () => {
    using dir = scratch();
    put(dir.at('tree', 'set-id'), 'x', 0o6755);
    execFileSync('mkfifo', [dir.at('tree', 'pipe')]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(dir.at('tree', 'socket'), resolve));
    const { bytes, summary } = await packed(dir.at('tree'));
    await new Promise((resolve) => server.close(resolve));
    writeFileSync(dir.at('x.tgz'), bytes);
    const list = readWithPython(dir.at('x.tgz'));
    expect(list.map(nameOf).slice(1)).toEqual(['./set-id']);
    expect(list[1]?.mode).toBe(0o755);
    expect(summary.warnings).toEqual([
      './pipe is a named pipe and was left out',
      './socket is a socket and was left out',
    ]);
  });

  it.each([
    ['shrinks', (path: string) => truncateSync(path, 10)],
    ['grows', (path: string) => appendFileSync(path, 'more')],
    ['vanishes', (path: string) => rmSync(path)],
  ])('fails with the name of the file that %s while it is packed', async (_what, meddle) => {
    using dir = scratch();
    put(dir.at('tree', 'small'), 'z'.repeat(1000));
    function* walkThenMeddle(): Generator<TreeEntry> {
      yield* walkRoots(buildCacheContents(dir.at('tree')), { onSkipped: () => {}, atEnd: () => {} });
      meddle(dir.at('tree', 'small'));
    }
    const { body, summary } = packEntries(walkThenMeddle, { signal });
    await expect(buffer(body)).rejects.toMatchObject({ code: 'DROPLET_PACK_FAILED' });
    await expect(summary).rejects.toMatchObject({ details: { path: dir.at('tree', 'small') } });
  });

  it('says that directories are nested too deeply, and not that something changed', async () => {
    using dir = scratch();
    mkdirSync(dir.at('tree'));
    const deeper = `cd "$0"; for i in $(seq 40); do mkdir ${'d'.repeat(200)}; cd -P ${'d'.repeat(200)}; done`;
    execFileSync('bash', ['-c', deeper, dir.at('tree')]);
    const { body, summary } = packTarball(buildCacheContents(dir.at('tree')), { signal });
    await expect(buffer(body)).rejects.toMatchObject({
      code: 'DROPLET_PACK_FAILED',
      message: expect.stringMatching(/^\/.{1,300}… is nested deeper than a path can be long$/),
      next: expect.stringContaining('fewer directories'),
    });
    await expect(summary).rejects.toMatchObject({ code: 'DROPLET_PACK_FAILED' });
  });

  it('does not pack sparse files that hold more than the limit, however little room they take', async () => {
    using dir = scratch();
    put(dir.at('tree', 'a'), 'text');
    for (const name of ['b', 'c']) {
      put(dir.at('tree', name), '');
      truncateSync(dir.at('tree', name), 2 ** 40);
    }
    const { body, summary } = packTarball(buildCacheContents(dir.at('tree')), { signal, maxBytes: 2 ** 30 });
    await expect(buffer(body)).rejects.toMatchObject({
      code: 'OUT_OF_DISK',
      details: { path: './b', limitBytes: 2 ** 30, usedBytes: 2 ** 40 + 4 },
    });
    await expect(summary).rejects.toMatchObject({ code: 'OUT_OF_DISK' });
  });

  it('fails when a big file grows while it is packed', async () => {
    using dir = scratch();
    put(dir.at('tree', 'big'), bytesOf(1_500_000, 4));
    const { body } = packEntries(
      function* () {
        for (const entry of walkRoots(buildCacheContents(dir.at('tree')), {
          onSkipped: () => {},
          atEnd: () => {},
        })) {
          if (entry.type === 'file') appendFileSync(dir.at('tree', 'big'), 'more');
          yield entry;
        }
      },
      { signal },
    );
    await expect(buffer(body)).rejects.toMatchObject({ code: 'DROPLET_PACK_FAILED' });
  });

  it.skipIf(!isRoot)(`holds files and directories that their owner may not read${unlessRoot}`, async () => {
    using dir = scratch();
    put(dir.at('tree', 'closed', 'file'), 'hidden', 0o000);
    chmodSync(dir.at('tree', 'closed'), 0o000);
    execFileSync('chown', ['-R', '2000:2000', dir.path]);
    const program = new URL('pack-program.ts', import.meta.url).pathname;
    execFileSync(process.execPath, [program, dir.at('tree'), dir.at('x.tgz')], {
      uid: 2000,
      gid: 2000,
      env: {},
    });
    const [, closed, file] = readWithPython(dir.at('x.tgz'));
    expect([closed?.mode, file?.mode, file?.digest]).toEqual([0, 0, sha256(Buffer.from('hidden'))]);
    expect(statSync(dir.at('tree', 'closed')).mode & 0o777).toBe(0);
    expect(statSync(dir.at('tree', 'closed', 'file')).mode & 0o777).toBe(0);
  });

  it('stops at the signal and leaves no thread behind', async () => {
    using dir = scratch();
    put(dir.at('tree', 'big'), bytesOf(30_000_000, 5));
    const controller = new AbortController();
    const { body, summary } = packTarball(buildCacheContents(dir.at('tree')), { signal: controller.signal });
    body.once('data', () => controller.abort());
    await expect(buffer(body)).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(summary).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
