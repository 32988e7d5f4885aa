import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findFamily, settleFamily } from '../../../src/staging/buildpack/contract/family.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'family-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function family(files: Readonly<Record<string, string>>, api?: 'cf' | 'heroku') {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return await findFamily(root, 'key', api);
}

const V2 = { 'bin/detect': '', 'bin/compile': '#!/bin/sh\nawk \'{print $3}\' "$1/x"\n', 'bin/release': '' };
const CNB = { 'bin/detect': '', 'bin/build': '', 'buildpack.toml': 'api = "0.10"\n[buildpack]\nid = "x"\n' };

describe('the family', () => {
  it.each([
    ['supply makes it CF v3', { ...V2, 'bin/supply': '' }, 'cf-v3'],
    [
      'finalize makes it CF v3, whatever else is there',
      { ...V2, 'bin/finalize': '', 'bin/report': '' },
      'cf-v3',
    ],
    [
      'supply beside a compile that takes ENV_DIR makes it both',
      { ...V2, 'bin/supply': '', 'bin/compile': 'ENV_DIR=$3\n' },
      'both',
    ],
    ['manifest and VERSION make it CF v2', { ...V2, 'manifest.yml': 'language: x\n', VERSION: '1' }, 'cf-v2'],
    ['a manifest alone does not', { ...V2, 'manifest.yml': 'language: x\n' }, 'ambiguous'],
    ['report makes it Heroku', { ...V2, 'bin/report': '' }, 'heroku'],
    [
      'buildpack.toml without api makes it Heroku',
      { ...V2, 'buildpack.toml': '[buildpack]\nname="x"\n' },
      'heroku',
    ],
    ['ENV_DIR in compile makes it Heroku', { ...V2, 'bin/compile': 'ENV_DIR=$3\n' }, 'heroku'],
    ['a third argument in compile makes it Heroku', { ...V2, 'bin/compile': `dir="\${3}"\n` }, 'heroku'],
    ['ENV_DIR in a comment does not', { ...V2, 'bin/compile': '# no ENV_DIR here\n' }, 'ambiguous'],
    ['three scripts alone are ambiguous', V2, 'ambiguous'],
    ['bin/compile beside bin/build without toml is ambiguous', { ...V2, 'bin/build': '' }, 'ambiguous'],
  ])('%s', async (_name, files, expected) => {
    expect(await family(files)).toBe(expected);
  });

  it('is what the user says', async () => {
    expect(await family({ ...V2, 'bin/supply': '' }, 'heroku')).toBe('heroku');
    await rm(join(root, 'bin'), { recursive: true });
    expect(await family(CNB, 'cf')).toBe('cf-v2');
  });

  it.each([
    ['cloud native', CNB],
    ['composite cloud native', { 'buildpack.toml': 'api = "0.10"\n[[order]]\n' }],
    ['an image extension', { 'bin/detect': '', 'extension.toml': 'api = "0.10"' }],
    ['cloud native without its toml', { 'bin/detect': '', 'bin/build': '' }],
    ['registry metadata alone', { 'buildpack.toml': '[buildpack]\nname="x"\n' }],
  ])('of %s is refused', async (_name, files) => {
    await expect(family(files)).rejects.toMatchObject({ code: 'BUILDPACK_MALFORMED' });
  });

  it('is not read from files outside the buildpack', async () => {
    await writeFile(join(root, 'elsewhere'), 'api = "0.10"\n[[order]]\n');
    const inner = join(root, 'inner');
    await mkdir(join(inner, 'bin'), { recursive: true });
    await writeFile(join(inner, 'bin/compile'), '');
    await symlink(join(root, 'elsewhere'), join(inner, 'buildpack.toml'));
    expect(await findFamily(inner, 'key')).toBe('ambiguous');
  });
});

describe('an ambiguous one', () => {
  it('follows the others of its order, then the stack, else is Cloud Foundry’s', () => {
    expect(settleFamily('ambiguous', ['ambiguous', 'heroku'], 'cflinuxfs4')).toBe('heroku');
    expect(settleFamily('ambiguous', ['cf-v3', 'heroku'], 'heroku-24')).toBe('cf-v2');
    expect(settleFamily('ambiguous', ['ambiguous'], 'heroku-24')).toBe('heroku');
    expect(settleFamily('ambiguous', [], 'host')).toBe('cf-v2');
    expect(settleFamily('both', ['heroku', 'both'], 'host')).toBe('heroku');
    expect(settleFamily('both', ['ambiguous'], 'heroku-24')).toBe('heroku');
    expect(settleFamily('both', ['cf-v3', 'both'], 'heroku-24')).toBe('cf-v3');
    expect(settleFamily('both', ['both'], 'host')).toBe('cf-v3');
    expect(settleFamily('cf-v3', ['heroku'], 'heroku-24')).toBe('cf-v3');
  });
});
