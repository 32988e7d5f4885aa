import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openSource } from '../../../src/staging/source/open.ts';
import { StagerError } from '../../../src/words/errors.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { asMap, readAll, tempDir } from './archives.ts';

const signal = new AbortController().signal;
let root: string;
beforeEach(() => {
  root = tempDir();
});

function write(path: string, content = ''): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), content);
}

async function failure(promise: Promise<unknown>): Promise<StagerError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StagerError)) throw new Error(`expected a StagerError, got ${String(error)}`);
  return error;
}

describe('what a directory hands out', () => {
  it('parents first, siblings by name, modes and times kept, set-id bits dropped', async () => {
    write('b/run.sh', 'x');
    write('a.txt', 'hello');
    chmodSync(join(root, 'b/run.sh'), 0o4750);
    chmodSync(join(root, 'a.txt'), 0o604);
    chmodSync(join(root, 'b'), 0o2711);
    utimesSync(join(root, 'a.txt'), 1_000_000_000, 1_000_000_000.5);
    const all = await readAll(root);
    expect(all.map((entry) => [entry.path, entry.kind === 'symlink' ? 0 : entry.mode])).toEqual([
      ['a.txt', 0o604],
      ['b', 0o711],
      ['b/run.sh', 0o750],
    ]);
    expect(all[0]).toMatchObject({ sizeBytes: 5, mtimeMs: 1_000_000_000_500, content: 'hello' });
  });

  it('links inside the app as links, broken ones and empty directories too', async () => {
    mkdirSync(join(root, 'empty/er'), { recursive: true });
    symlinkSync('empty/er', join(root, 'in'));
    symlinkSync('nowhere', join(root, 'broken'));
    symlinkSync('/app/server.js', join(root, 'runtime'));
    expect(asMap(await readAll(root))).toEqual({
      broken: '-> nowhere',
      empty: '/',
      'empty/er': '/',
      in: '-> empty/er',
      runtime: '-> /app/server.js',
    });
  });

  it('the same when the app is named through a link, and twice', async () => {
    write('a', '1');
    const link = join(tempDir(), 'link');
    symlinkSync(root, link);
    const source = await openSource(link);
    for (const _ of [1, 2]) {
      const paths: string[] = [];
      for await (const entry of source.entries({ signal })) paths.push(entry.path);
      expect(paths).toEqual(['a']);
    }
  });

  it('does not need to read a directory that is ignored', async () => {
    write('a');
    write('.cfignore', 'secret\n');
    mkdirSync(join(root, 'secret'));
    execFileSync('mkfifo', [join(root, 'secret/pipe')]);
    expect(asMap(await readAll(root))).toEqual({ a: '' });
  });
});

describe('what is refused', () => {
  it('everything unsafe at once, before the first entry', async () => {
    write('a');
    symlinkSync('/etc/passwd', join(root, 'absolute'));
    symlinkSync('../../x', join(root, 'dots'));
    mkdirSync(join(root, 'd'));
    symlinkSync('..', join(root, 'd/up'));
    symlinkSync('d/up/../x', join(root, 'through'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const server = createServer().listen(join(root, 'sock'));
    await new Promise((resolve) => server.once('listening', resolve));
    const seen: string[] = [];
    const source = await openSource(root);
    const error = await failure(
      (async () => {
        for await (const entry of source.entries({ signal })) seen.push(entry.path);
      })(),
    );
    server.close();
    expect(seen).toEqual([]);
    expect(error.code).toBe('SOURCE_UNSAFE');
    for (const name of ['absolute', 'dots', 'through', 'pipe: is a named pipe', 'sock: is a socket']) {
      expect(error.message).toContain(name);
    }
    expect(error.message).not.toContain('d/up:');
    expect(error.details).toMatchObject({ count: 5 });
  });

  it.skipIf(!isRoot)(`a device, by name${unlessRoot}`, async () => {
    execFileSync('mknod', [join(root, 'null'), 'c', '1', '3']);
    expect((await failure(readAll(root))).message).toContain('null: is a character device');
  });

  it('a name that is not UTF-8', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x61, 0xff])]), '');
    expect((await failure(readAll(root))).message).toContain('not UTF-8');
  });

  it('control characters in a name do not reach the terminal', async () => {
    symlinkSync('/etc', join(root, 'x\u001b[31m'));
    const { message } = await failure(readAll(root));
    expect(message).not.toContain('\u001b');
    expect(message).toContain('x\\x1b[31m');
  });

  it('more entries or bytes than the limit, with limit and actual value', async () => {
    for (const name of ['a', 'b', 'c']) write(name, '12345');
    expect((await failure(readAll(root, { limits: { maxEntries: 2 } }))).details).toMatchObject({
      limit: 2,
      actual: 3,
    });
    const size = await failure(readAll(root, { limits: { maxBytes: 12 } }));
    expect(size.code).toBe('SOURCE_TOO_LARGE');
    expect(size.details).toMatchObject({ limit: 12, actual: 15 });
  });

  it('a huge sparse file by its size, without reading it', async () => {
    write('bomb');
    truncateSync(join(root, 'bomb'), 2 ** 40);
    expect((await failure(readAll(root))).code).toBe('SOURCE_TOO_LARGE');
  });

  it('an ignore file that is a pipe, without waiting for it', async () => {
    execFileSync('mkfifo', [join(root, '.cfignore')]);
    expect((await failure(openSource(root))).code).toBe('SOURCE_UNREADABLE');
  });

  it('a source that is not there, and one that is a device', async () => {
    expect((await failure(openSource(join(root, 'missing')))).code).toBe('SOURCE_NOT_FOUND');
    expect((await failure(openSource('/dev/null'))).code).toBe('SOURCE_NOT_FOUND');
  });
});

describe('what changes while it is read', () => {
  it('a file that grew is reported, not cut', async () => {
    write('a', 'one');
    const source = await openSource(root);
    const read = async () => {
      for await (const entry of source.entries({ signal })) {
        writeFileSync(join(root, 'a'), 'one two');
        for await (const _ of (await entry.open?.()) ?? []);
      }
    };
    expect((await failure(read())).code).toBe('SOURCE_CHANGED');
  });

  it('a file that became a link out is not followed', async () => {
    write('a', 'one');
    const victim = join(mkdtempSync(join(tempDir(), 'v-')), 'secret');
    writeFileSync(victim, 'two');
    const source = await openSource(root);
    const got: string[] = [];
    const read = async () => {
      for await (const entry of source.entries({ signal })) {
        rmSync(join(root, 'a'));
        symlinkSync(victim, join(root, 'a'));
        for await (const chunk of (await entry.open?.()) ?? []) got.push(String(chunk));
      }
    };
    expect((await failure(read())).code).toBe('SOURCE_CHANGED');
    expect(got).toEqual([]);
  });

  it('a link that appears after the check is not handed out, and one that moved is refused', async () => {
    write('a');
    write('b/c');
    symlinkSync('c', join(root, 'b/d'));
    const seen: string[] = [];
    const source = await openSource(root);
    const read = async (change: () => void) => {
      for await (const entry of source.entries({ signal })) {
        seen.push(entry.path);
        if (entry.path === 'a') change();
      }
    };
    await read(() => symlinkSync('/etc', join(root, 'b/link')));
    expect(seen).toEqual(['a', 'b', 'b/c', 'b/d']);
    const moved = read(() => {
      rmSync(join(root, 'b/d'));
      symlinkSync('/etc', join(root, 'b/d'));
    });
    expect((await failure(moved)).code).toBe('SOURCE_CHANGED');
    const replaced = read(() => {
      rmSync(join(root, 'b/c'));
      symlinkSync('/etc', join(root, 'b/c'));
    });
    expect((await failure(replaced)).code).toBe('SOURCE_CHANGED');
    expect(seen.filter((path) => path === 'b/c' || path === 'b/d')).toEqual(['b/c', 'b/d', 'b/c']);
  });
});

describe('hints on a source that no buildpack took', () => {
  it.each([
    ['procfile', 'Procfile'],
    ['Procfile.txt', 'Procfile'],
    ['STATICFILE', 'Staticfile'],
    ['package.json.txt', 'package.json'],
  ])('say of %s what it has to be called', async (name, meant) => {
    for (const path of [name, 'index.php', `below/${name}`]) write(path);
    const source = await openSource(root);
    expect(await source.hints({ signal })).toEqual([`${name} has to be called ${meant} to be found.`]);
  });

  it('say nothing of files that are called as they should be', async () => {
    for (const path of ['Procfile', 'requirements.txt', 'notes.txt']) write(path);
    expect(await (await openSource(root)).hints({ signal })).toEqual([]);
  });
});
