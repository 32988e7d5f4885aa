import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import yazl from 'yazl';
import { type SentEntry, sentEntries, whyIgnored } from '../../src/workshop/files.ts';
import { tree } from './tree.ts';

const signal = new AbortController().signal;
const options = { ignoreStyle: 'cf', tempRoot: '/tmp', signal } as const;

async function listed(path: string): Promise<readonly SentEntry[]> {
  const files: SentEntry[] = [];
  for await (const file of sentEntries(path, options)) files.push(file);
  return files;
}

async function zipOf(files: Readonly<Record<string, string>>, path: string): Promise<void> {
  const zip = new yazl.ZipFile();
  for (const [name, text] of Object.entries(files)) {
    if (name.endsWith('/')) zip.addEmptyDirectory(name);
    else zip.addBuffer(Buffer.from(text), name);
  }
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(Buffer.from(chunk));
  await writeFile(path, Buffer.concat(chunks));
}

describe('listing', () => {
  it('shows path, kind, mode and size of what is sent, and nothing of what is not', async () => {
    await using app = await tree({
      'a.txt': '12345',
      'bin/run': '#!/bin/sh\n',
      'log/x': '',
      '.cfignore': 'log\n',
    });
    await symlink('a.txt', join(app.path, 'link'));
    expect(await listed(app.path)).toEqual([
      { type: 'file', path: 'a.txt', mode: 0o644, sizeBytes: 5 },
      { type: 'directory', path: 'bin', mode: 0o755 },
      { type: 'file', path: 'bin/run', mode: 0o755, sizeBytes: 10 },
      { type: 'symlink', path: 'link', target: 'a.txt' },
      { type: 'totals', files: 2, directories: 1, symlinks: 1, sizeBytes: 15 },
    ]);
  });

  it('names everything that is refused before it lists anything', async () => {
    await using app = await tree({ a: '' });
    await symlink('/etc/passwd', join(app.path, 'out'));
    await symlink('../..', join(app.path, 'up'));
    await expect(listed(app.path)).rejects.toMatchObject({
      code: 'SOURCE_UNSAFE',
      details: { count: 2, refused: [{ path: 'out' }, { path: 'up' }] },
    });
  });
});

describe('explaining', () => {
  it('names the line of the ignore file that decided', async () => {
    await using app = await tree({ '.cfignore': '# logs\n*.log\n!keep.log\n', 'a.log': '', 'keep.log': '' });
    expect(await whyIgnored(app.path, 'a.log', options)).toEqual({
      path: 'a.log',
      exists: true,
      kind: 'file',
      ignored: true,
      rule: { text: '*.log', line: 2, from: '.cfignore' },
    });
    expect(await whyIgnored(app.path, './keep.log', options)).toMatchObject({
      ignored: false,
      rule: { text: '!keep.log', line: 3 },
    });
  });

  it('tells the built-in list from the file, and no rule from both', async () => {
    await using app = await tree({ '.git/config': '', a: '' });
    expect((await whyIgnored(app.path, '.git', options)).rule?.from).toBe('default list');
    expect(await whyIgnored(app.path, join(app.path, 'a'), options)).toEqual({
      path: 'a',
      exists: true,
      kind: 'file',
      ignored: false,
    });
  });

  it('says so when the source has no such entry', async () => {
    await using app = await tree({ a: '' });
    expect(await whyIgnored(app.path, 'b/', options)).toMatchObject({ exists: false, kind: 'directory' });
  });

  it('knows the directory that took a file along, by the rules of git', async () => {
    await using app = await tree({ '.cfignore': 'out/\n', 'out/x/y': '' });
    const found = await whyIgnored(app.path, 'out/x/y', { ...options, ignoreStyle: 'git' });
    expect(found).toMatchObject({ ignored: true, because: 'out', rule: { line: 1 } });
  });

  it('finds the kind of an ignored entry of a zip, and matches its directories with their slash', async () => {
    await using dir = await tree({});
    const zip = join(dir.path, 'app.zip');
    await zipOf({ '.cfignore': 'logs/\nkept/*\n', 'logs/': '', 'logs/a': '', b: 'x' }, zip);
    const directory = await whyIgnored(zip, 'logs', options);
    expect(directory).toMatchObject({
      exists: true,
      kind: 'directory',
      ignored: true,
      rule: { text: 'logs/' },
    });
    expect(await whyIgnored(zip, 'logs/a', options)).toMatchObject({
      exists: true,
      kind: 'file',
      ignored: true,
    });
    expect(await whyIgnored(zip, 'b', options)).toMatchObject({ exists: true, ignored: false });
  });

  it('refuses a path outside the source', async () => {
    await using app = await tree({ a: '' });
    await expect(whyIgnored(app.path, '../x', options)).rejects.toMatchObject({ code: 'USAGE' });
  });
});
