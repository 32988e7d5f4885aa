import { execFile } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { execPath } from 'node:process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withClaim } from '../../../src/machine/host/file-claim.ts';
import { ownIdentity } from '../../../src/machine/host/process-identity.ts';
import { httpClient } from '../../../src/machine/proxy/http-client.ts';
import { ContentStore } from '../../../src/staging/buildpack/acquire/content-store.ts';
import { BuildpackFetcher } from '../../../src/staging/buildpack/acquire/fetch.ts';
import { checkLock, readLock, writeLock } from '../../../src/staging/buildpack/acquire/lock-file.ts';
import { BuildpackRegistry } from '../../../src/staging/buildpack/acquire/registry.ts';
import { lockOf, resolveOrder } from '../../../src/staging/buildpack/acquire/resolve.ts';
import { parseReference } from '../../../src/staging/buildpack/contract/reference.ts';
import { systemClock } from '../../../src/words/clock.ts';
import type { UntimedEvent } from '../../../src/words/events.ts';

const signal = new AbortController().signal;
let root: string;
let store: ContentStore;
let fetcher: BuildpackFetcher;
let registry: BuildpackRegistry;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'registry-'));
  store = new ContentStore(join(root, 'store'), systemClock);
  fetcher = new BuildpackFetcher({
    store,
    http: async () => httpClient({ proxy: {}, extraCa: [] }),
    cacheDir: join(root, 'downloads'),
    git: { searchPath: '/usr/bin:/bin', proxy: {} },
    clock: systemClock,
  });
  registry = new BuildpackRegistry({ dir: join(root, 'registry'), store, clock: systemClock });
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

/** Writes a buildpack and returns its path. */
async function buildpack(name: string, options: { stack?: string; text?: string } = {}): Promise<string> {
  const dir = join(root, name);
  await mkdir(join(dir, 'bin'), { recursive: true });
  await writeFile(join(dir, 'bin/detect'), `#!/bin/sh\n# ${options.text ?? name}\n`);
  await chmod(join(dir, 'bin/detect'), 0o755);
  if (options.stack !== undefined) await writeFile(join(dir, 'manifest.yml'), `stack: ${options.stack}\n`);
  return dir;
}

async function fetched(dir: string) {
  const reference = parseReference(dir, { cwd: root });
  if (reference.kind === 'installed') throw new Error('not a place');
  const it = await fetcher.fetch(reference, { signal });
  await it.lease.release();
  return it;
}

async function add(
  name: string,
  settings: { stack?: string; position?: number; enabled?: boolean; locked?: boolean } = {},
) {
  const { stack, ...rest } = settings;
  const dir = await buildpack(`${name}-${stack ?? 'any'}`, stack === undefined ? {} : { stack });
  return await registry.add(name, await fetched(dir), { ...rest, signal });
}

const names = async () => (await registry.list()).map((it) => `${it.position} ${it.name}`);

describe('the list', () => {
  it('starts at 1, and moving one shifts the others', async () => {
    for (const name of ['a', 'b', 'c']) await add(name);
    await add('first', { position: 1 });
    expect(await names()).toEqual(['1 first', '2 a', '3 b', '4 c']);
    await registry.update('c', { position: 2, signal });
    expect(await names()).toEqual(['1 first', '2 c', '3 a', '4 b']);
    await registry.update('first', { position: 99, signal });
    await registry.remove('a', { signal });
    expect(await names()).toEqual(['1 c', '2 b', '3 first']);
  });

  it.each(['', 'a b', 'a/b', '../x', 'ü', 'x'.repeat(251)])('refuses the name %j', async (name) => {
    await expect(registry.add(name, await fetched(await buildpack('x')), { signal })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  it('holds a name once for each stack and once without', async () => {
    await add('ruby');
    await add('ruby', { stack: 'cflinuxfs4' });
    await expect(add('ruby')).rejects.toMatchObject({ code: 'BUILDPACK_NAME_TAKEN' });
    await expect(add('ruby', { stack: 'cflinuxfs4' })).rejects.toMatchObject({
      code: 'BUILDPACK_NAME_TAKEN',
    });
    await expect(registry.show('ruby')).rejects.toMatchObject({ code: 'USAGE' });
    expect((await registry.show('ruby', 'cflinuxfs4')).stack).toBe('cflinuxfs4');
    expect((await registry.show('ruby', null)).stack).toBeUndefined();
  });

  it('takes the stack that is asked for where the manifest names none, and refuses another', async () => {
    const plain = await fetched(await buildpack('plain'));
    expect(await registry.add('plain', plain, { stack: 'heroku-24', signal })).toMatchObject({
      stack: 'heroku-24',
    });
    const named = await fetched(await buildpack('named', { stack: 'cflinuxfs4' }));
    await expect(registry.add('named', named, { stack: 'heroku-24', signal })).rejects.toMatchObject({
      code: 'BUILDPACK_MALFORMED',
    });
    await expect(registry.add('odd', plain, { stack: 'a b', signal })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  it('refuses new bits for a locked one, and for another stack', async () => {
    await add('ruby', { stack: 'cflinuxfs4', locked: true });
    const other = await fetched(await buildpack('new', { stack: 'cflinuxfs4' }));
    await expect(registry.update('ruby', { fetched: other, signal })).rejects.toMatchObject({
      code: 'BUILDPACK_LOCKED',
    });
    await registry.update('ruby', { enabled: false, signal });
    const updated = await registry.update('ruby', { fetched: other, locked: false, signal });
    expect(updated).toMatchObject({ digest: other.lease.digest, enabled: false, locked: false });
    const wrong = await fetched(await buildpack('wrong', { stack: 'heroku-24' }));
    await expect(registry.update('ruby', { fetched: wrong, signal })).rejects.toMatchObject({
      code: 'BUILDPACK_MALFORMED',
    });
  });

  it('survives many processes that change it at once', async () => {
    const dir = await buildpack('many');
    const script = `
      const { BuildpackRegistry } = await import(${JSON.stringify(new URL('../../../src/staging/buildpack/acquire/registry.ts', import.meta.url).href)});
      const { ContentStore } = await import(${JSON.stringify(new URL('../../../src/staging/buildpack/acquire/content-store.ts', import.meta.url).href)});
      const { systemClock } = await import(${JSON.stringify(new URL('../../../src/words/clock.ts', import.meta.url).href)});
      const [root, name, tree] = process.argv.slice(1);
      const { cp } = await import('node:fs/promises');
      const store = new ContentStore(root + '/store', systemClock);
      const registry = new BuildpackRegistry({ dir: root + '/registry', store, clock: systemClock });
      const signal = new AbortController().signal;
      for (let n = 0; n < 5; n += 1) {
        const scratch = await store.scratch();
        await cp(tree, scratch.dir + '/tree', { recursive: true });
        const lease = await store.adopt(scratch.dir + '/tree', signal);
        await scratch.remove();
        await registry.add(name + n, { key: 'k', lease, inner: '', filename: 'f', origin: { kind: 'directory' } }, { signal });
        await lease.release();
        await registry.sweep(signal);
      }`;
    const run = promisify(execFile);
    const children = ['a', 'b', 'c'].map((name) =>
      run(execPath, ['--input-type=module', '-e', script, root, name, dir], { timeout: 60_000 }),
    );
    await Promise.all(children);
    expect((await registry.list()).map((it) => it.name).sort()).toHaveLength(15);
    const [digest] = new Set((await registry.list()).map((it) => it.digest));
    expect(await readdir(join(root, 'store/store'))).toEqual([digest]);
  });
});

describe('look-up', () => {
  it('prefers the entry of the exact stack over the one without', async () => {
    await add('ruby');
    await add('ruby', { stack: 'cflinuxfs4' });
    expect((await registry.find('ruby', 'cflinuxfs4')).stack).toBe('cflinuxfs4');
    expect((await registry.find('ruby', 'host')).stack).toBeUndefined();
  });

  it('says for which stacks a name is installed', async () => {
    await add('ruby', { stack: 'cflinuxfs4' });
    await expect(registry.find('ruby', 'host')).rejects.toMatchObject({
      code: 'BUILDPACK_NOT_FOUND',
      message: expect.stringContaining('installed for cflinuxfs4'),
    });
  });

  it('leaves disabled ones out of detect and refuses them by name', async () => {
    await add('off', { enabled: false });
    await add('other', { stack: 'heroku-24' });
    await add('on');
    expect((await registry.candidates('host')).map((it) => it.name)).toEqual(['on']);
    await expect(registry.find('off', 'host')).rejects.toMatchObject({ code: 'BUILDPACK_DISABLED' });
  });
});

describe('content', () => {
  it('of an updated buildpack stays while somebody leases it, and goes afterwards', async () => {
    const before = await add('ruby');
    const [lease] = await registry.leases([before], signal);
    const after = await fetched(await buildpack('ruby-any', { text: 'new' }));
    await registry.update('ruby', { fetched: after, signal });
    await registry.sweep(signal);
    expect(await readFile(join(lease?.dir ?? '', 'bin/detect'), 'utf8')).toContain('# ruby-any');
    await lease?.release();
    expect(await registry.sweep(signal)).toEqual([before.digest]);
    expect(await readdir(join(root, 'store/store'))).toEqual([after.lease.digest]);
  });

  it('of a buildpack that is installed while a sweep waits for its turn is kept', async () => {
    const bits = await fetched(await buildpack('late'));
    const turn = Promise.withResolvers<void>();
    const before = withClaim(
      join(root, 'store/store.lock'),
      { clock: systemClock, signal },
      () => turn.promise,
    );
    const sweeping = registry.sweep(signal);
    await registry.add('late', bits, { signal });
    turn.resolve();
    await before;
    expect(await sweeping).toEqual([]);
    expect(await readdir(join(root, 'store/store'))).toEqual([bits.lease.digest]);
  });

  it('leased by a process that died is swept', async () => {
    const { digest } = (await fetched(await buildpack('gone'))).lease;
    const dead = { pid: 999_999_999, startTime: '1', bootId: 'another boot', pidNamespace: '', host: '' };
    await writeFile(
      join(root, 'store/leases', `${digest}.dead`),
      JSON.stringify({ ...dead, host: ownIdentity().host }),
    );
    expect(await registry.sweep(signal)).toEqual([digest]);
  });
});

describe('the tree of an installed buildpack that changed', () => {
  const order = async (report: (event: UntimedEvent) => void = () => {}) => {
    const input = { references: [parseReference('ruby', { cwd: root })], stack: 'host' };
    const found = await resolveOrder(input, { registry, fetcher, store }, { signal, report });
    await found.release();
    return found.order[0];
  };
  const treeOf = (digest: string): string => join(root, 'store/store', digest, 'tree');

  it.each([
    ['a byte', async (dir: string) => writeFile(join(dir, 'bin/detect'), '#!/bin/sh\nexit 1\n')],
    ['its mode', async (dir: string) => chmod(join(dir, 'bin/detect'), 0o700)],
    ['a file more', async (dir: string) => writeFile(join(dir, 'bin/more'), '')],
    ['a file less', async (dir: string) => rm(join(dir, 'bin/detect'))],
    ['itself, gone', async (dir: string) => rm(dir, { recursive: true })],
    [
      'itself, a link to elsewhere',
      async (dir: string) => {
        await rename(dir, `${dir}.aside`);
        await symlink(`${dir}.aside`, dir);
      },
    ],
  ])('is not used but brought again: %s', async (_, damage) => {
    const { digest } = await add('ruby');
    const before = await readFile(join(treeOf(digest), 'bin/detect'), 'utf8');
    await damage(treeOf(digest));
    const told: UntimedEvent[] = [];
    const found = await order((event) => told.push(event));
    expect(await readFile(join(found?.dir ?? '', 'bin/detect'), 'utf8')).toBe(before);
    expect((await stat(join(found?.dir ?? '', 'bin/detect'))).mode & 0o777).toBe(0o755);
    expect(told.filter(({ type }) => type === 'warning').length).toBeLessThanOrEqual(1);
    await order((event) => expect(event.type).not.toBe('warning'));
  });

  it('is refused by name when its source has it no more', async () => {
    const { digest, source } = await add('ruby');
    await writeFile(join(treeOf(digest), 'bin/detect'), 'other');
    await writeFile(join(source, 'VERSION'), '2');
    await expect(order()).rejects.toMatchObject({
      code: 'BUILDPACK_NOT_FOUND',
      message: expect.stringContaining('holds another version now'),
    });
  });

  it('has every byte compared, and a new seal, when only times or the seal changed', async () => {
    const { digest } = await add('ruby');
    const seal = join(treeOf(digest), '../tree.seal');
    const now = new Date();
    await utimes(join(treeOf(digest), 'bin/detect'), now, now);
    const before = await readFile(seal, 'utf8');
    await order((event) => expect(event.type).not.toBe('warning'));
    expect(await readFile(seal, 'utf8')).not.toBe(before);
    await writeFile(seal, 'no seal');
    await order((event) => expect(event.type).not.toBe('warning'));
    expect(await readFile(seal, 'utf8')).toContain('stager-tree-seal');
  });
});

describe('stager.lock', () => {
  const parts = () => ({ registry, fetcher, store });
  const resolve = (references: readonly string[], frozen?: Awaited<ReturnType<typeof readLock>>) =>
    resolveOrder(
      {
        references: references.map((it) => parseReference(it, { cwd: root })),
        stack: 'host',
        ...(frozen !== undefined && { frozen }),
      },
      parts(),
      { signal },
    );

  async function locked(references: readonly string[]) {
    const order = await resolve(references);
    const path = join(root, 'stager.lock');
    await writeLock({ path }, lockOf(order, { stack: 'host', selected: order.order.map((it) => it.key) }));
    await order.release();
    return await readLock({ path });
  }

  it('brings the same bytes of an installed buildpack that was updated since', async () => {
    const before = await add('ruby');
    const lock = await locked(['ruby']);
    const [lease] = await registry.leases([before], signal);
    await registry.update('ruby', {
      fetched: await fetched(await buildpack('ruby-any', { text: 'new' })),
      signal,
    });
    const again = await resolve(['ruby'], lock);
    expect(again.order.map((it) => it.digest)).toEqual([before.digest]);
    await again.release();
    await lease?.release();
  });

  it('fails when they are gone, and says what is there instead', async () => {
    const before = await add('ruby');
    const lock = await locked(['ruby']);
    await registry.update('ruby', {
      fetched: await fetched(await buildpack('ruby-any', { text: 'new' })),
      signal,
    });
    await registry.sweep(signal);
    await expect(resolve(['ruby'], lock)).rejects.toMatchObject({
      code: 'BUILDPACK_MOVED',
      message: expect.stringContaining(before.digest),
    });
    await registry.remove('ruby', { signal });
    await expect(resolve(['ruby'], lock)).rejects.toMatchObject({ code: 'BUILDPACK_MOVED' });
  });

  it('fails when a directory changed, and when the order is another one', async () => {
    const dir = await buildpack('local');
    const lock = await locked([dir]);
    await (await resolve([dir], lock)).release();
    await expect(resolve(['other'], lock)).rejects.toMatchObject({ code: 'BUILDPACK_MOVED' });
    await writeFile(join(dir, 'bin/detect'), 'changed');
    await expect(resolve([dir], lock)).rejects.toMatchObject({ code: 'BUILDPACK_MOVED' });
  });

  it('keeps an order for each app of a manifest, beside that of an app without one', async () => {
    const path = join(root, 'apps', 'stager.lock');
    await mkdir(dirname(path), { recursive: true });
    await checkLock({ path });
    const dir = await buildpack('local');
    const order = await resolve([dir]);
    const lock = lockOf(order, { stack: 'host', selected: [dir] });
    await order.release();
    await writeLock({ path, app: 'one' }, lock);
    await expect(readLock({ path, app: 'two' })).rejects.toThrow(/nothing for application two, only for one/);
    await expect(readLock({ path })).rejects.toThrow(/nothing for an app without a manifest, only for one/);
    await writeLock({ path }, { ...lock, stack: 'other' });
    await writeLock({ path, app: 'two' }, { ...lock, stack: 'third' });
    const stacks = await Promise.all(
      [{ path }, { path, app: 'one' }, { path, app: 'two' }].map(async (it) => (await readLock(it)).stack),
    );
    expect(stacks).toEqual(['other', 'host', 'third']);
    // Wherever the file is checked out with what it names.
    expect(await readFile(path, 'utf8')).toContain(`buildpack: ../${relative(root, dir)}\n`);
    expect((await readLock({ path })).buildpacks).toEqual(lock.buildpacks);
  });

  it.each(['', '{', 'version: 2', 'version: 1\nstack: x\nbuildpacks: []'])(
    'that says %j is refused',
    async (text) => {
      const path = join(root, 'broken.lock');
      await writeFile(path, text);
      await expect(readLock({ path })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      await expect(checkLock({ path })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    },
  );
});
