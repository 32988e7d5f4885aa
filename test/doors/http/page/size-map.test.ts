import { describe, expect, it } from 'vitest';
import { sizeChanges } from '../../../../src/doors/http/page/droplet-diff.ts';
import { drawnMap, folderAt } from '../../../../src/doors/http/page/size-map.ts';
import type { Folder } from '../../../../src/service/state/schema-page.ts';

const folder = (name: string, own: number, folders: readonly Folder[] = []): Folder => ({
  name,
  bytes: own + folders.reduce((sum, each) => sum + each.bytes, 0),
  files: 1,
  folders,
});

const BEFORE = folder('', 5, [folder('app', 100, [folder('public', 50)]), folder('deps', 300)]);
const AFTER = folder('', 5, [folder('app', 90, [folder('public', 450)]), folder('profile.d', 1)]);

describe('what grew', () => {
  it('is told by folder, the largest change first', () => {
    expect(sizeChanges(BEFORE, AFTER)).toEqual([
      { path: 'app/public', before: 50, after: 450 },
      { path: 'deps', before: 300, after: 0 },
      { path: 'app', before: 100, after: 90 },
      { path: 'profile.d', before: 0, after: 1 },
    ]);
  });
});

describe('the size map', () => {
  it('gives each folder an area of its share', () => {
    const map = drawnMap(
      folder('', 0, [folder('a', 750), folder('b', 250)]),
      '',
      (path) => `?folder=${path}`,
    );
    const areas = [...map.matchAll(/width="([\d.]+)" height="([\d.]+)"><title>(\w)/g)].map(
      ([, width, height, name]) => [name, Math.round((Number(width) * Number(height)) / 4200)],
    );
    expect(areas).toEqual([
      ['a', 75],
      ['b', 25],
    ]);
  });

  it('goes to the folder that is asked for, or to the nearest above it', () => {
    expect(folderAt(BEFORE, 'app/public').folder.bytes).toBe(50);
    expect(folderAt(BEFORE, 'app/nothing/there')).toMatchObject({ path: 'app', folder: { bytes: 150 } });
  });

  it('escapes the names that it draws', () => {
    const map = drawnMap(folder('', 0, [folder('"><script>alert(1)</script>', 1)]), '', () => '?');
    expect(map).not.toContain('<script');
  });
});
