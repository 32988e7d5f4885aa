import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Dependencies, type DependencyOptions } from '../../../buildpacks/kit/dependencies.ts';
import { createLog } from '../../../buildpacks/kit/log.ts';
import { type Dependency, loadManifest } from '../../../buildpacks/kit/manifest.ts';
import { makeOffline } from '../../../buildpacks/kit/offline.ts';
import { noteOf } from '../../../buildpacks/kit/unpacked.ts';

const CONTENT = 'the tool';
const DIGEST = createHash('sha256').update(CONTENT).digest('hex');

let temp: DirectoryResult;
let server: Server;
let base: string;
let requests: string[];
let answers: { status: number; body: string }[];
let lines: string[];

beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
  requests = [];
  answers = [];
  lines = [];
  server = createServer((request, response) => {
    requests.push(`${request.url} ${request.headers.authorization ?? ''}`.trim());
    const answer = answers.shift() ?? { status: 200, body: CONTENT };
    response.writeHead(answer.status).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  base = `127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await temp.cleanup();
});

function options(): DependencyOptions {
  return {
    buildpackDir: temp.path,
    cacheDir: join(temp.path, 'cache'),
    env: {},
    log: createLog((line) => lines.push(line)),
    retryMs: [0, 0],
  };
}

const dependencies = (): Dependencies => new Dependencies(options());

function tool(parts: Partial<Dependency> = {}): Dependency {
  return {
    name: 'tool',
    version: '1.0.0',
    uri: `http://${base}/tool-1.0.0`,
    checksum: { algorithm: 'sha256', digest: DIGEST },
    ...parts,
  };
}

describe('dependencies', () => {
  it('#45 come from the cache of an earlier staging, without a request', async () => {
    await dependencies().fetch(tool());
    const again = await dependencies().fetch(tool());
    expect(requests).toEqual(['/tool-1.0.0']);
    const key = createHash('sha256').update(tool().uri).digest('hex');
    expect(again).toBe(join(temp.path, 'cache/dependencies', key, 'tool-1.0.0'));
    expect(await readFile(again, 'utf8')).toBe(CONTENT);
  });

  it('that were damaged in the cache are downloaded again', async () => {
    await writeFile(await dependencies().fetch(tool()), 'flipped');
    expect(await readFile(await dependencies().fetch(tool()), 'utf8')).toBe(CONTENT);
    expect(requests).toHaveLength(2);
    expect(lines.join('\n')).toContain('**WARNING** The cached copy of tool is damaged');
  });

  it('with the wrong checksum are refused and leave no file', async () => {
    answers = [{ status: 200, body: 'something else' }];
    await expect(dependencies().fetch(tool())).rejects.toThrow(/wrong checksum.*expected/);
    const left = await readdir(join(temp.path, 'cache/dependencies'), {
      recursive: true,
      withFileTypes: true,
    });
    expect(left.filter((entry) => entry.isFile())).toEqual([]);
    expect(requests).toHaveLength(1);
  });

  it('are asked for again after a 503, not after a 404', async () => {
    answers = [{ status: 503, body: '' }];
    await dependencies().fetch(tool());
    expect(requests).toHaveLength(2);
    answers = [{ status: 404, body: '' }];
    await expect(dependencies().fetch(tool({ uri: `http://${base}/gone` }))).rejects.toThrow('status 404');
    expect(requests).toHaveLength(3);
  });

  it('say how often they were tried when the server stays away', async () => {
    answers = Array.from({ length: 3 }, () => ({ status: 500, body: '' }));
    await expect(dependencies().fetch(tool())).rejects.toThrow('tried 3 times');
  });

  it('are fetched with the credentials of the URL, which no log line shows', async () => {
    await dependencies().fetch(tool({ uri: `http://bob:s3cret@${base}/tool` }));
    expect(requests).toEqual([`/tool Basic ${Buffer.from('bob:s3cret').toString('base64')}`]);
    expect(lines.join('\n')).toContain('http://***@');
    expect(lines.join('\n')).not.toContain('s3cret');
  });

  it('of an offline buildpack come from the buildpack, verified, without a request', async () => {
    await mkdir(join(temp.path, 'dependencies'));
    await writeFile(join(temp.path, 'dependencies/tool'), CONTENT);
    expect(await dependencies().fetch(tool({ file: 'dependencies/tool' }))).toBe(
      join(temp.path, 'dependencies/tool'),
    );
    await writeFile(join(temp.path, 'dependencies/tool'), 'flipped');
    await expect(dependencies().fetch(tool({ file: 'dependencies/tool' }))).rejects.toThrow('wrong checksum');
    await expect(dependencies().fetch(tool({ file: 'dependencies/no' }))).rejects.toThrow('should contain');
    expect(requests).toEqual([]);
  });

  it('that a staging did not use leave the cache', async () => {
    const old = await dependencies().fetch(tool({ uri: `http://${base}/old` }));
    const run = dependencies();
    const used = await run.fetch(tool());
    await run.prune();
    expect(existsSync(old)).toBe(false);
    expect(existsSync(used)).toBe(true);
  });
});

describe('an offline buildpack', () => {
  it('has every wanted dependency inside and needs no network then', async () => {
    const entry = (name: string, extra: string) =>
      `  - {name: ${name}, version: 1.0.0, uri: "http://${base}/${name}", sha256: ${DIGEST}${extra}}`;
    const text = `# kept\nlanguage: demo\ndependencies:\n${entry('tool', '')}\n${entry('other', ', cf_stacks: [odd]')}\n`;
    await writeFile(join(temp.path, 'manifest.yml'), text);
    const log = createLog((line) => lines.push(line));
    const options = { stack: 'host', cacheDir: join(temp.path, 'cache'), env: {}, log };
    await makeOffline(temp.path, options);
    const once = await readFile(join(temp.path, 'manifest.yml'), 'utf8');
    expect(once).toContain('# kept');
    expect(once).not.toContain('other');
    const manifest = await loadManifest(temp.path);
    const [tool] = manifest.dependencies;
    const md5 = createHash('md5').update(`http://${base}/tool`).digest('hex');
    expect(tool?.file).toBe(`dependencies/${md5}/tool`);
    expect(requests).toEqual(['/tool']);
    if (tool !== undefined) await dependencies().fetch(tool);
    await makeOffline(temp.path, options);
    expect(await readFile(join(temp.path, 'manifest.yml'), 'utf8')).toBe(once);
    expect(requests).toEqual(['/tool']);
  });
});

describe('what the machine has unpacked', () => {
  const note = (only: readonly string[] | null) =>
    JSON.stringify({ algorithm: 'sha256', digest: DIGEST, strip: 1, only, file: 'tool-1.0.0.tgz' });
  const packed = () => tool({ uri: `http://${base}/tool-1.0.0.tgz` });

  it('is copied, and nothing is downloaded', async () => {
    const key = createHash('sha256')
      .update(note(['bin']))
      .digest('hex');
    await mkdir(join(temp.path, 'machine', key, 'bin'), { recursive: true });
    await writeFile(join(temp.path, 'machine', key, 'bin/tool'), 'unpacked', { mode: 0o755 });
    const all = new Dependencies({ ...options(), unpackedDir: join(temp.path, 'machine') });
    await all.install(packed(), join(temp.path, 'out'), { strip: 1, only: ['bin'] });
    expect(await readFile(join(temp.path, 'out/bin/tool'), 'utf8')).toBe('unpacked');
    expect(requests).toEqual([]);
    expect(all.installed).toHaveLength(1);
    expect(lines.join('\n')).toContain('Using tool 1.0.0 as this machine has it unpacked');
  });

  it('is listed in the order in which it was asked for, whatever is there first', async () => {
    const all = dependencies();
    const slow = tool({ name: 'slow', uri: `http://${base}/slow` });
    answers = [{ status: 503, body: '' }];
    const first = all.install(slow, join(temp.path, 'slow'));
    await all.install(tool({ name: 'quick', uri: `http://${base}/quick` }), join(temp.path, 'quick'));
    await first;
    expect(all.installed.map(({ name }) => name)).toEqual(['slow', 'quick']);
  });

  it('is asked for by a note beside the archive, only of what is taken as it is', () => {
    expect(noteOf(packed(), { strip: 1 })).toBe(note(null));
    expect(noteOf(packed(), { strip: 1, pick: (path) => path })).toBeUndefined();
    expect(noteOf({ ...packed(), executable: ['bin/*'] }, { strip: 1 })).toBeUndefined();
    expect(noteOf(tool(), { strip: 1 })).toBeUndefined();
  });
});
