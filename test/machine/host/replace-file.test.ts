import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { replaceFile, replaceFileWith } from '../../../src/machine/host/replace-file.ts';
import { tempDir } from '../../staging/source/archives.ts';

describe('replacing a file', () => {
  it('leaves the new content, the mode that was asked for, and nothing else', async () => {
    const directory = tempDir();
    const path = join(directory, 'record.json');
    writeFileSync(path, 'old');
    await replaceFile(path, 'new', { mode: 0o600, durable: true });
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['record.json']);
  });

  it('keeps what is there and leaves nothing beside it when it fails', async () => {
    const directory = tempDir();
    const path = join(directory, 'taken');
    mkdirSync(path);
    await expect(replaceFile(path, 'new', { durable: false })).rejects.toMatchObject({ code: 'EISDIR' });
    expect(readdirSync(directory)).toEqual(['taken']);
  });

  it('gives readers one of the contents whole, however many write', async () => {
    const path = join(tempDir(), 'index.json');
    const contents = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(200_000));
    writeFileSync(path, contents[0] ?? '');
    const seen = new Set<string>();
    await Promise.all(
      contents.map(async (content) => {
        await replaceFile(path, content, { durable: false });
        seen.add(readFileSync(path, 'utf8'));
      }),
    );
    expect([...seen].filter((content) => !contents.includes(content))).toEqual([]);
  });
});

describe('replacing a file of a person', () => {
  const module = fileURLToPath(new URL('../../../src/machine/host/replace-file.ts', import.meta.url));

  it('leaves the whole new content, and removes what a writer left that died', async () => {
    const directory = tempDir();
    const path = join(directory, 'droplet.tgz');
    writeFileSync(path, 'old');
    const killed = `
      import { replaceFileWith } from ${JSON.stringify(module)};
      await replaceFileWith(${JSON.stringify(path)}, async (to) => {
        await new Promise((resolve) => to.write('half', resolve));
        process.kill(process.pid, 'SIGKILL');
      });
    `;
    spawnSync(process.execPath, ['--input-type=module', '--eval', killed]);
    expect(readdirSync(directory)).toHaveLength(2);
    expect(readFileSync(path, 'utf8')).toBe('old');
    await replaceFileWith(path, (to) => pipeline(Readable.from(['new']), to), { mode: 0o600 });
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['droplet.tgz']);
  });

  it('keeps what is there and leaves nothing beside it when what is written turns out to be wrong', async () => {
    const directory = tempDir();
    const path = join(directory, 'droplet.tgz');
    writeFileSync(path, 'old');
    const wrong = replaceFileWith(path, async (to) => {
      await pipeline(Readable.from(['new']), to);
      throw new RangeError('another digest');
    });
    await expect(wrong).rejects.toThrow('another digest');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(directory)).toEqual(['droplet.tgz']);
  });
});
