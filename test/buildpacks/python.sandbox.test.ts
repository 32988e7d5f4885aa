/** The python buildpack with real packages, each on another line of Python: pip, Pipenv, Poetry and uv, compiled wheels, Django's static files, nothing changed. */
import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { pypiFiles } from '../../buildpacks/kit/pypi.ts';
import { Driver } from '../support/buildpack-driver.ts';
import { isUbuntuThere } from '../support/ubuntu.ts';

async function body(url: string): Promise<string> {
  return (await fetch(url)).text();
}

async function staged(app: string, version?: string): Promise<Driver & { readonly log: string }> {
  const driver = await Driver.of(app);
  if (version !== undefined) await writeFile(driver.at('app/.python-version'), `${version}\n`);
  const result = await driver.stage('python');
  expect(result, result.output).toMatchObject({ code: 0 });
  return Object.assign(driver, { log: result.output });
}

/** 3.10 is Ubuntu's. */
const OLD = (await isUbuntuThere()) ? '3.10' : '3.11';

describe('python buildpack', () => {
  it('installs requirements.txt with a compiled wheel, and nothing when nothing has changed', async () => {
    await using app = await staged('flask');
    expect(app.log).toMatch(/Python 3\.13\.\d+ \(runtime\.txt\)/);
    expect(app.log).toContain('built by bytedeco, from Maven Central');
    // uv is for the staging only.
    expect(existsSync(app.at('deps/0/uv'))).toBe(false);
    expect(readFileSync(app.at('deps/0/launch.yml'), 'utf8')).toContain('gunicorn app:app');
    expect(readFileSync(app.at('deps/0/python/bin/gunicorn'), 'utf8')).toMatch(
      /^#!\/usr\/bin\/env python3\n/,
    );
    const ask = () =>
      app.launch('gunicorn app:app', async (url) => {
        expect(await body(url)).toBe('Hello from flask on stager\n');
        expect(await body(`${url}/runtime`)).toMatch(/^3\.13\.\d+ markupsafe\._speedups\n$/);
      });
    expect((await ask()).code).toBe(0);

    await rm(app.at('deps/0'), { recursive: true });
    const second = await app.stage('python');
    expect(second, second.output).toMatchObject({ code: 0 });
    expect(second.output).toContain('Using the packages of the last staging');
    expect(second.output).not.toContain('uv pip install');
    await ask();
  });

  it('installs poetry.lock without the groups for development, and collects static files of Django', async () => {
    await using app = await staged('django', '3.12');
    expect(app.log).toMatch(/Python 3\.12\.\d+ \(\.python-version\)/);
    expect(app.log).toContain('-----> Collecting static files');
    expect(app.log).not.toContain('pytest');
    await app.launch('gunicorn shop.wsgi', async (url) => {
      expect(await body(url)).toBe('Hello from django on stager\n');
      expect(await body(`${url}/static/shop.css`)).toBe('body { color: teal }\n');
    });
  });

  it(`installs Pipfile.lock by its hashes on Python ${OLD}, and refuses a package with another one`, async () => {
    const files = (await pypiFiles('markupsafe', process.env)).filter(({ name }) =>
      name.startsWith(`markupsafe-3.0.2-cp${OLD.replace('.', '')}-cp${OLD.replace('.', '')}-manylinux`),
    );
    const hashes = files.flatMap(({ sha256 }) => (sha256 === undefined ? [] : [`sha256:${sha256}`]));
    await using app = await Driver.of('flask');
    await rm(app.at('app/requirements.txt'));
    await writeFile(app.at('app/runtime.txt'), `python-${OLD}.x\n`);
    await writeFile(app.at('app/Pipfile'), '[packages]\nmarkupsafe = "*"\nsix = "*"\n');
    await lock(hashes);
    const good = await app.stage('python');
    expect(good, good.output).toMatchObject({ code: 0 });
    expect(good.output).toContain('markupsafe==3.0.2');
    expect(good.output).toContain('Pipfile.lock does not belong to Pipfile: it lacks six.');
    await lock([`sha256:${'0'.repeat(64)}`]);
    await rm(app.at('deps/0'), { recursive: true });
    const bad = await app.stage('python');
    expect(bad.code).toBe(1);
    expect(bad.output).toContain('Hash mismatch');

    async function lock(of: readonly string[]): Promise<void> {
      const markupsafe = { version: '==3.0.2', hashes: of };
      const text = JSON.stringify({ _meta: { sources: [] }, default: { markupsafe }, develop: {} });
      await writeFile(app.at('app/Pipfile.lock'), text);
    }
  });

  it('installs uv.lock, and starts FastAPI', async () => {
    await using app = await staged('fastapi', '3.11');
    expect(app.log).toContain('built by Debian, bookworm');
    expect(readFileSync(app.at('deps/0/launch.yml'), 'utf8')).toContain('uvicorn main:app --host 0.0.0.0');
    await app.launch('uvicorn main:app --host 0.0.0.0 --port $PORT', async (url) => {
      expect(JSON.parse(await body(url))).toMatchObject({ hello: 'fastapi on stager' });
    });
  });
});
