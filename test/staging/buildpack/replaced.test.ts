/** Scripts that put links in the place of the workspace's own directories: what root does next must not follow. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BuildpackRig } from '../../support/buildpack-rig.ts';
import { MappedSandbox } from '../../support/mapped-sandbox.ts';

let rig: BuildpackRig;
let victim: string;
beforeAll(async () => {
  rig = await BuildpackRig.open((workspace) => new MappedSandbox(workspace));
  victim = join(rig.root, 'victim');
});
afterAll(async () => {
  await rig.close();
});
beforeEach(async () => {
  await rm(victim, { recursive: true, force: true });
  await mkdir(join(victim, 'deps'), { recursive: true });
  await writeFile(join(victim, 'precious'), 'precious');
});

/** The workspace's directories from BUILD_DIR, which detect gets as its first argument. */
const swap = (name: string): string =>
  `d="$(dirname "$1")"; rm -rf "$d/${name}"; ln -s ${victim} "$d/${name}"`;

describe('a detect script that puts a link to the host', () => {
  it.each(['cache', 'buildpacks', 'contents', 'env', 'home'])(
    'in the place of /tmp/%s has nothing written, removed or read there',
    async (name) => {
      const staged = await rig.stage({
        mode: 'detect',
        buildpacks: [
          await rig.scripted('refuses', {
            detect: `${swap(name)}; exit 1`,
            compile: 'true',
            release: 'true',
          }),
          await rig.scripted('takes', {
            detect: `${swap(name)}; echo yes`,
            compile: 'echo made > "$2/made"',
            release: 'echo "--- {}"',
          }),
          await rig.scripted('last', { detect: 'echo yes', compile: 'true', release: 'true' }),
        ],
      });
      expect(await tree(victim)).toEqual({ precious: 'precious' });
      if (name !== 'buildpacks') expect(staged.outcome.kind).toBe('staged');
    },
  );
});

async function tree(dir: string): Promise<Record<string, string>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((it) => !it.isDirectory());
  return Object.fromEntries(
    await Promise.all(
      files.map(async (it) => [it.name, await readFile(join(it.parentPath, it.name), 'utf8')]),
    ),
  );
}
