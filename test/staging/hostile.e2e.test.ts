/** Archives that attack, through the command: the right status, and nothing outside touched. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, stageArgs } from '../support/cli.ts';
import { rawZip } from './source/archives.ts';

/** From the app of a workspace up to the directory of the test. */
const UP = '../../../../..';
const LINK = 0o120777;

let cli: Cli;
let before: readonly string[];

beforeAll(async () => {
  cli = await Cli.make();
  await writeFile(join(cli.dir, 'victim'), 'untouched');
  before = [...(await readdir(cli.dir)), 'cache', 'home'];
});

afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

async function archive(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(cli.dir, 'archives', name);
  await cli.app('archives', { README: 'hostile' });
  await writeFile(path, bytes);
  return path;
}

async function expectUntouched(): Promise<void> {
  expect(await readFile(join(cli.dir, 'victim'), 'utf8')).toBe('untouched');
  const names = (await readdir(cli.dir)).filter((name) => name !== 'archives');
  expect(before).toEqual(expect.arrayContaining(names));
  expect(await cli.leftovers()).toEqual([]);
}

interface TarParts {
  readonly type?: string;
  readonly link?: string;
  readonly content?: string;
}

/** One header of a tar archive, with its content. */
function tarEntry(name: string, { type = '0', link = '', content = '' }: TarParts = {}): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(link, 157);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
  body.write(content);
  return Buffer.concat([header, body]);
}

const tar = (...entries: readonly Buffer[]): Buffer => Buffer.concat([...entries, Buffer.alloc(1024)]);
const harmless = { name: 'index.html', content: 'hello' };

interface Attack {
  readonly name: string;
  readonly file: string;
  readonly exit: number;
  readonly code: string;
  readonly bytes: () => Uint8Array;
}

const ATTACKS: readonly Attack[] = [
  {
    name: 'a zip entry that climbs',
    file: 'climbs.zip',
    exit: 12,
    code: 'SOURCE_UNSAFE',
    bytes: () => rawZip([harmless, { name: `${UP}/victim`, content: 'owned' }]),
  },
  {
    name: 'a zip entry with an absolute name',
    file: 'absolute.zip',
    exit: 12,
    code: 'SOURCE_UNSAFE',
    bytes: () => rawZip([harmless, { name: `${cli.dir}/victim`, content: 'owned' }]),
  },
  {
    name: 'a zip with a link that leads out, and an entry through it',
    file: 'link.zip',
    exit: 12,
    code: 'SOURCE_UNSAFE',
    bytes: () =>
      rawZip([harmless, { name: 'out', content: UP, mode: LINK }, { name: 'out/victim', content: 'owned' }]),
  },
  {
    name: 'a tar with a hard link to a file outside',
    file: 'hard.tar',
    exit: 12,
    code: 'SOURCE_UNSAFE',
    bytes: () =>
      tar(tarEntry('index.html', { content: 'x' }), tarEntry('hard', { type: '1', link: `${UP}/victim` })),
  },
  {
    name: 'a tar with a device',
    file: 'device.tar.gz',
    exit: 12,
    code: 'SOURCE_UNSAFE',
    bytes: () => gzipSync(tar(tarEntry('index.html', { content: 'x' }), tarEntry('sda', { type: '4' }))),
  },
  {
    name: 'a zip that unpacks to more than --disk',
    file: 'bomb.zip',
    exit: 14,
    code: 'SOURCE_TOO_LARGE',
    bytes: () => rawZip([harmless, { name: 'bomb', content: Buffer.alloc(300 << 20) }]),
  },
  {
    name: 'a zip that lies about the size of its bomb',
    file: 'liar.zip',
    exit: 13,
    code: 'SOURCE_ARCHIVE_INVALID',
    bytes: () => rawZip([harmless, { name: 'bomb', content: Buffer.alloc(300 << 20), declaredSize: 10 }]),
  },
  {
    name: 'a tar of a million entries',
    file: 'million.tar.gz',
    exit: 14,
    code: 'SOURCE_TOO_LARGE',
    bytes: millionEntries,
  },
];

/** A gzip of many members, of a thousand names each: quick to make, and an ordinary .tar.gz to read. */
function millionEntries(): Buffer {
  const block = Buffer.concat(Array.from({ length: 1000 }, (_, m) => tarEntry(`d000/f${m}`)));
  const sums = Array.from({ length: 1000 }, (_, m) =>
    Number.parseInt(block.toString('latin1', m * 512 + 148, m * 512 + 154), 8),
  );
  const members = Array.from({ length: 1000 }, (_, n) => {
    const digits = String(n).padStart(3, '0');
    const more = [...digits].reduce((total, digit) => total + Number(digit), 0);
    for (const [m, sum] of sums.entries()) {
      block.write(digits, m * 512 + 1);
      block.write((sum + more).toString(8).padStart(6, '0'), m * 512 + 148);
    }
    return gzipSync(block, { level: 1 });
  });
  return Buffer.concat([...members, gzipSync(Buffer.alloc(1024))]);
}

describe('an app', () => {
  it.each(ATTACKS)('that is $name is refused', async ({ file, exit, code, bytes }) => {
    const ended = await cli.run(stageArgs(await archive(file, bytes()), {}, ['--disk', '256M']));
    expect(ended).toMatchObject({ code: exit, stderr: expect.stringMatching(`^error ${code} \\(app\\)`) });
    await expectUntouched();
  });
});

describe('a buildpack', () => {
  const script = { content: '#!/bin/sh\n', mode: 0o100755 };
  it.each([
    ['slips out of its zip', [{ name: `${UP}/victim`, content: 'owned' }]],
    ['has an absolute name', [{ name: '/tmp/stager-victim', content: 'owned' }]],
    [
      'writes through a link',
      [
        { name: 'out', content: UP, mode: LINK },
        { name: 'out/victim', content: 'owned' },
      ],
    ],
  ])('that %s is refused', async (_, entries) => {
    const scripts = ['detect', 'supply', 'finalize'].map((name) => ({ name: `bin/${name}`, ...script }));
    const path = await archive('buildpack.zip', rawZip([...scripts, ...entries]));
    const ended = await cli.run(['stage', await cli.app('archives/app'), '-b', path]);
    expect(ended).toMatchObject({
      code: 31,
      stderr: expect.stringMatching(/^error BUILDPACK_MALFORMED \(buildpack\)/),
    });
    await expectUntouched();
  });
});
