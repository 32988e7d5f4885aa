/** What the kit has for languages: addresses of registries, archives without modes, groups, the C library, kept results. */
import { mkdir, readdir, readFile, readlink, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { unpack } from '../../../buildpacks/kit/extract.ts';
import { goModuleSum } from '../../../buildpacks/kit/go-module.ts';
import { Kept } from '../../../buildpacks/kit/kept.ts';
import { demandLibc, neededLibc, stackLibc } from '../../../buildpacks/kit/libc.ts';
import { groupOf, loadManifest, resolve } from '../../../buildpacks/kit/manifest.ts';
import { fileNameOf, locate } from '../../../buildpacks/kit/mirrors.ts';
import { findOnPypi } from '../../../buildpacks/kit/pypi.ts';

let temp: DirectoryResult;
beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
});
afterEach(() => temp.cleanup());

async function zip(files: Readonly<Record<string, string>>, name: string): Promise<string> {
  const archive = new ZipFile();
  for (const [path, text] of Object.entries(files)) {
    archive.addBuffer(Buffer.from(text), path, { mode: 0o100644, mtime: new Date(0) });
  }
  archive.end();
  const path = join(temp.path, name);
  await writeFile(path, await buffer(archive.outputStream));
  return path;
}

describe('addresses', () => {
  it.each([
    [
      'goproxy:golang.org/toolchain@v0.0.1-go1.27.4.linux-amd64',
      {},
      'https://proxy.golang.org/golang.org/toolchain/@v/v0.0.1-go1.27.4.linux-amd64.zip',
    ],
    [
      'goproxy:github.com/Azure/x@v1.0.0',
      { GOPROXY: 'off|https://go.example/,direct' },
      'https://go.example/github.com/!azure/x/@v/v1.0.0.zip',
    ],
    ['goproxy:a.b/c@v1', { GOPROXY: 'direct' }, 'https://proxy.golang.org/a.b/c/@v/v1.zip'],
    [
      'maven:org.apache.maven:apache-maven:3.9.16:bin@tar.gz',
      {},
      'https://repo1.maven.org/maven2/org/apache/maven/apache-maven/3.9.16/apache-maven-3.9.16-bin.tar.gz',
    ],
    ['maven:a.b:c:1', { MVNW_REPOURL: 'https://m.example/r/' }, 'https://m.example/r/a/b/c/1/c-1.jar'],
  ])('%s with %o', (uri, env, url) => {
    expect(locate(uri, env)).toBe(url);
  });

  it('that are malformed are refused, and so is a GOPROXY without a server', () => {
    for (const uri of ['goproxy:x', 'maven:a:b', 'ftp://x']) expect(() => locate(uri, {})).toThrow();
    expect(() => locate('goproxy:a.b/c@v1', { GOPROXY: 'off' })).toThrow('there is no server');
  });

  it('have file names that say how they are packed', () => {
    expect(fileNameOf('goproxy:a.b/c@v1')).toBe('c-v1.zip');
    expect(fileNameOf('maven:a.b:c:1:linux@tar.gz')).toBe('c-1-linux.tar.gz');
    expect(fileNameOf('pypi:uv@1.0/uv-1.0-py3-none-any.whl')).toBe('uv-1.0-py3-none-any.whl');
  });

  it('of Python files are found on the page of the project, with the credentials of the index', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end(
        '<a href="../../files/my_tool-1.0-py3-none-any.whl#sha256=00" data-requires-python="&gt;=3.8">x</a>',
      );
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    const host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const env = { PIP_INDEX_URL: `http://bob:pw@${host}/simple/` };
    try {
      const found = await findOnPypi('pypi:My_Tool@1.0/my_tool-1.0-py3-none-any.whl', env);
      expect(found).toBe(`http://bob:pw@${host}/files/my_tool-1.0-py3-none-any.whl`);
      expect(asked).toEqual(['/simple/my-tool/']);
      const missing = findOnPypi('pypi:my-tool@2.0/my_tool-2.0.whl', env);
      await expect(missing).rejects.toThrow('http://***@');
      await expect(missing).rejects.toThrow('does not list my_tool-2.0.whl');
    } finally {
      server.close();
    }
  });
});

describe('archives', () => {
  it('of Java, Python and Go get executable files by pattern, after strip and pick', async () => {
    for (const name of ['a.jar', 'b.whl', 'c.zip']) {
      const path = await zip({ 'mod@v1/go/bin/tool': 'x', 'mod@v1/go/readme': 'y' }, name);
      const target = join(temp.path, `${name}.out`);
      await unpack(path, target, { strip: 2, executable: ['bin/*'] });
      expect((await stat(join(target, 'bin/tool'))).mode & 0o111).toBe(0o111);
      expect((await stat(join(target, 'readme'))).mode & 0o111).toBe(0);
    }
  });

  it('of a Go module have the sum that Go states', async () => {
    // As `go mod download` sums it: sha256 over "<sha256>  <name>\n", sorted by name.
    const path = await zip({ 'm@v1/b': '2', 'm@v1/a': '1' }, 'm.zip');
    expect(await goModuleSum(path)).toBe(
      await goModuleSum(await zip({ 'm@v1/a': '1', 'm@v1/b': '2' }, 'n.zip')),
    );
    expect(await goModuleSum(path)).toMatch(/^[A-Za-z0-9+/]{43}=$/);
  });
});

describe('the C library', () => {
  it('rules out what needs a newer one, and the error says so', async () => {
    const entry = (name: string, version: string, more: string) =>
      `  - {name: ${name}, version: ${version}, uri: "npm:a@1", sha256: ${'ab'.repeat(32)}, ${more}}\n`;
    await writeFile(
      join(temp.path, 'manifest.yml'),
      `language: x\ndependencies:\n${entry('ruby', '3.1.2', 'group: ruby')}${entry('ruby', '3.3.8', 'group: ruby, requires: {glibc: ">=2.38"}')}${entry('libffi', '1.0.0', 'group: ruby')}`,
    );
    const manifest = await loadManifest(temp.path);
    const on = (glibc: string) => ({ stack: 'host', arch: 'x64', with: { glibc } });
    expect(resolve(manifest, 'ruby', '*', on('2.36.0')).version).toBe('3.1.2');
    expect(resolve(manifest, 'ruby', '*', on('2.39.0')).version).toBe('3.3.8');
    expect(() => resolve(manifest, 'ruby', '3.3.x', on('2.36.0'))).toThrow('Available: 3.1.2');
    try {
      resolve(manifest, 'ruby', '3.3.x', on('2.36.0'));
    } catch (error) {
      expect(error).toMatchObject({ next: 'ruby 3.3.8 needs glibc >=2.38; this stack has 2.36.' });
    }
    expect(groupOf(manifest, 'ruby', on('2.39.0')).map(({ version }) => version)).toEqual(['3.3.8', '1.0.0']);
  });

  it('that a program needs is read from the program', async () => {
    const program = join(temp.path, 'program');
    await writeFile(program, 'ELF\0GLIBC_2.2.5\0GLIBC_2.97\0GLIBC_2.4\0');
    expect(await neededLibc(program)).toBe('2.97.0');
    await writeFile(join(temp.path, 'static'), 'ELF');
    expect(await neededLibc(join(temp.path, 'static'))).toBeUndefined();
    if (stackLibc() === undefined) return;
    await expect(demandLibc('tool 1.0', [program])).rejects.toThrow(
      'tool 1.0 needs glibc 2.97; this stack has 2.',
    );
  });
});

describe('a kept result', () => {
  it('comes back for the same input, and not for another', async () => {
    const at = (name: string) => join(temp.path, name);
    await mkdir(at('app'));
    await writeFile(at('app/lock'), '1');
    const kept = (facts: string) => Kept.of(at('cache'), 'x', { facts: [facts], paths: [at('app')] });
    const first = await kept('a');
    expect(await first.restore({ out: at('out') })).toBe(false);
    await mkdir(at('made'));
    await writeFile(at('made/file'), 'result', { mode: 0o755 });
    await symlink('file', at('made/link'));
    await utimes(at('made/file'), 1_000_000, 1_000_000);
    await first.keep({ out: at('made'), one: at('made/file') });
    await mkdir(at('out/of-the-app'), { recursive: true });
    const again = { out: at('out'), one: at('one') };
    expect(await (await kept('a')).restore(again)).toBe(true);
    expect((await readdir(at('out'))).sort()).toEqual(['file', 'link', 'of-the-app']);
    expect(await readlink(at('out/link'))).toBe('file');
    for (const file of ['out/file', 'one']) {
      expect(await readFile(at(file), 'utf8')).toBe('result');
      const { mode, mtimeMs } = await stat(at(file));
      expect([mode & 0o777, mtimeMs]).toEqual([0o755, 1_000_000_000]);
    }
    // One file in the cache, whatever is in the directory.
    expect((await readdir(at('cache/kept/x'))).sort()).toEqual(['key', 'one', 'out.tar']);
    expect(await (await kept('b')).isThere()).toBe(false);
    await writeFile(at('app/lock'), '2');
    expect(await (await kept('a')).isThere()).toBe(false);
  });
});
