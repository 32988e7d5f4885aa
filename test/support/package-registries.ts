/** Registries of npm, PyPI and Go, a git host and a file host: each offers `greeting`, whose text is given. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { ZipFile } from 'yazl';
import type { Answer } from './resigning-proxy.ts';

type Files = Readonly<Record<string, string>>;

/** Answers for the hosts that the tools ask by default; `close` removes the repositories. */
export class PackageRegistries {
  readonly answer: Answer;
  readonly #dir = mkdtempSync(join(tmpdir(), 'registries-'));

  private constructor(answers: ReadonlyMap<string, string | Buffer>) {
    this.answer = (url, _request, response) => {
      const body =
        url.hostname === 'git.test' ? this.#gitFile(url.pathname) : answers.get(url.host + url.pathname);
      if (url.hostname === 'pypi.org') response.setHeader('content-type', 'text/html');
      response.statusCode = body === undefined ? 404 : 200;
      response.end(body ?? 'not here');
    };
  }

  /** Offers `text` everywhere. */
  static async of(text: string): Promise<PackageRegistries> {
    const files = { 'greeting.txt': text };
    const tarball = await npmTarball(files);
    const wheel = await zip({
      ...files,
      'greeting-1.0.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: greeting\nVersion: 1.0.0\n',
      'greeting-1.0.0.dist-info/WHEEL': 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
      'greeting-1.0.0.dist-info/RECORD': '',
    });
    const mod = 'module files.test/greeting\n';
    const module = 'proxy.golang.org/files.test/greeting/@v/v1.0.0';
    const inModule = Object.entries({ ...files, 'go.mod': mod }).map(([name, content]) => [
      `files.test/greeting@v1.0.0/${name}`,
      content,
    ]);
    const registries = new PackageRegistries(
      new Map<string, string | Buffer>([
        ['files.test/greeting.txt', text],
        ['registry.npmjs.org/greeting', packument(tarball)],
        ['registry.npmjs.org/greeting/-/greeting-1.0.0.tgz', tarball],
        ['pypi.org/simple/greeting/', wheelPage(wheel)],
        ['files.pythonhosted.org/greeting-1.0.0-py3-none-any.whl', wheel],
        [`${module}.info`, JSON.stringify({ Version: 'v1.0.0', Time: '2024-01-01T00:00:00Z' })],
        [`${module}.mod`, mod],
        [`${module}.zip`, await zip(Object.fromEntries(inModule))],
      ]),
    );
    registries.addRepository('greeting', (work) => writeFileSync(join(work, 'greeting.txt'), text));
    return registries;
  }

  /** Adds `https://git.test/<name>.git` with one commit of what `fill` writes. */
  addRepository(name: string, fill: (work: string) => void): void {
    const work = join(this.#dir, name);
    const git = (...args: readonly string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { stdio: 'pipe' });
    git('init', '--quiet', work);
    fill(work);
    git('-C', work, 'add', '.');
    git('-C', work, 'commit', '--quiet', '--message', name);
    git('clone', '--quiet', '--bare', work, `${work}.git`);
    git('-C', `${work}.git`, 'update-server-info');
  }

  /** Adds a repository with a copy of a directory. */
  addDirectory(name: string, directory: string): void {
    this.addRepository(name, (work) => cpSync(directory, work, { recursive: true }));
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** git's dumb protocol: files below the repository. */
  #gitFile(path: string): Buffer | undefined {
    try {
      return readFileSync(join(this.#dir, path));
    } catch {
      return undefined;
    }
  }
}

function packument(tarball: Buffer): string {
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const dist = { tarball: 'https://registry.npmjs.org/greeting/-/greeting-1.0.0.tgz', integrity };
  const version = { name: 'greeting', version: '1.0.0', dist };
  return JSON.stringify({
    name: 'greeting',
    'dist-tags': { latest: '1.0.0' },
    versions: { '1.0.0': version },
  });
}

function wheelPage(wheel: Buffer): string {
  const name = 'greeting-1.0.0-py3-none-any.whl';
  const sha256 = createHash('sha256').update(wheel).digest('hex');
  return `<!DOCTYPE html><html><body><a href="https://files.pythonhosted.org/${name}#sha256=${sha256}">${name}</a></body></html>`;
}

async function npmTarball(files: Files): Promise<Buffer> {
  const tar = pack();
  const manifest = JSON.stringify({ name: 'greeting', version: '1.0.0' });
  for (const [name, content] of Object.entries({ ...files, 'package.json': manifest })) {
    tar.entry({ name: `package/${name}` }, content);
  }
  tar.finalize();
  return gzipSync(await buffer(tar));
}

async function zip(files: Files): Promise<Buffer> {
  const archive = new ZipFile();
  for (const [name, content] of Object.entries(files)) archive.addBuffer(Buffer.from(content), name);
  archive.end();
  return await buffer(archive.outputStream);
}
