import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cnbContent } from '../../../src/staging/image/cnb-content.ts';
import { tempDir } from '../source/archives.ts';
import { CNB_DROPLET, writeCnbDroplet } from './cnb-droplet.ts';

const facts = { version: 'test' };
const METADATA = 'layers/config/metadata.toml';

function droplet(more: Readonly<Record<string, string>> = {}): string {
  return writeCnbDroplet(tempDir(), { ...CNB_DROPLET, ...more });
}

describe('a droplet as an image of Cloud Native Buildpacks', () => {
  it('is one only if their lifecycle left its metadata', async () => {
    const other = tempDir();
    mkdirSync(join(other, 'app'));
    expect(await cnbContent(other, facts)).toBeUndefined();
    expect((await cnbContent(droplet(), facts))?.plans).toHaveLength(8);
  });

  it('starts the default process, the one that is wanted, or any command where there is none', async () => {
    const base = { name: 'scratch', layers: [] };
    const entrypoint = async (home: string, process?: string) => {
      const content = await cnbContent(home, { ...facts, ...(process !== undefined && { process }) });
      return (await content?.run(base, []))?.Entrypoint;
    };
    expect(await entrypoint(droplet())).toEqual(['/cnb/process/web']);
    expect(await entrypoint(droplet(), 'words')).toEqual(['/cnb/process/words']);
    await expect(entrypoint(droplet(), 'none')).rejects.toMatchObject({ code: 'NO_START_COMMAND' });
    const bare = { [METADATA]: '[[processes]]\ntype = "worker"\ncommand = ["x"]\n' };
    expect(await entrypoint(droplet(bare))).toEqual(['/cnb/lifecycle/launcher']);
  });

  it.each([
    [
      'a process type that is no name of a file',
      { [METADATA]: '[[processes]]\ntype = ".."\ncommand = ["x"]\n' },
    ],
    ['a process type with a slash', { [METADATA]: '[[processes]]\ntype = "a/b"\ncommand = ["x"]\n' }],
    ['slices that are none', { 'layers/a_one/launch.toml': '[[slices]]\npaths = "all"\n' }],
    ['metadata that is not TOML', { [METADATA]: '[[' }],
  ])('is refused %s', async (_what, more) => {
    await expect(cnbContent(droplet(more), facts)).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
  });

  it.each(['layers/a_one/tool', 'layers/sbom/launch', 'workspace', 'layers/config'])(
    'never reads what a link in the place of %s leads to',
    async (path) => {
      const home = droplet();
      const outside = writeCnbDroplet(tempDir());
      rmSync(join(home, path), { recursive: true });
      symlinkSync(join(outside, path), join(home, path));
      const content = cnbContent(home, facts);
      if (path === 'layers/config') expect(await content).toBeUndefined();
      else if (path === 'workspace') await expect(content).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
      else {
        const titles = (await content)?.plans.map(({ title }) => title) ?? [];
        expect(titles).toHaveLength(7);
      }
    },
  );
});
