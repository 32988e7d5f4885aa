import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lifeOf, ownIdentity } from '../../../src/machine/host/process-identity.ts';
import { createWorkspace, sweepWorkspaces } from '../../../src/staging/workspace/workspace.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { exited, startReady, tempDir } from '../source/archives.ts';

const WORKSPACE = join(import.meta.dirname, '../../../src/staging/workspace/workspace.ts');
const ended = { keep: 'never', failed: false } as const;

/** Another process that makes a workspace and then waits for its end. */
async function otherOwner(parent: string) {
  const script = `import { createWorkspace } from ${JSON.stringify(WORKSPACE)};
    const w = await createWorkspace({ parent: ${JSON.stringify(parent)} });
    console.log(w.guid);
    process.stdin.resume();`;
  const child = await startReady(process.execPath, ['--input-type=module', '-e', script]);
  const [root] = readdirSync(parent).filter((name) => !name.endsWith('.lock'));
  return { child, root: join(parent, root ?? 'none') };
}

describe('making', () => {
  it('a private root, and every directory of the layout', async () => {
    const parent = join(tempDir(), 'not/yet');
    const workspace = await createWorkspace({ parent });
    expect(statSync(workspace.root).mode & 0o777).toBe(0o700);
    expect(statSync(workspace.tmp).mode & 0o7777).toBe(0o1777);
    for (const path of [
      workspace.app,
      workspace.deps,
      workspace.profileD,
      workspace.home,
      workspace.envDir,
    ]) {
      expect(statSync(path).mode & 0o777).toBe(0o755);
    }
    expect(await workspace.release(ended)).toBe('removed');
    expect(readdirSync(parent)).toEqual([]);
  });

  it.skipIf(!isRoot)(`gives what is writable inside to the owner, not the rest${unlessRoot}`, async () => {
    const workspace = await createWorkspace({
      parent: tempDir(),
      owner: { uid: 2000, gid: 2001 },
      rootMode: 0o711,
    });
    expect(statSync(workspace.app)).toMatchObject({ uid: 2000, gid: 2001 });
    expect(statSync(workspace.platform).uid).toBe(0);
    expect(statSync(workspace.root).uid).toBe(0);
    expect(statSync(workspace.root).mode & 0o777).toBe(0o711);
    await workspace.release(ended);
  });

  it('never touches what already has its name', async () => {
    const parent = tempDir();
    const first = await createWorkspace({ parent });
    writeFileSync(join(first.app, 'file'), 'mine');
    const again = () => createWorkspace({ parent, guid: first.guid });
    await expect(again()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await first.release({ keep: 'always', failed: false });
    await expect(again()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(readdirSync(parent)).toEqual([first.guid]);
    expect(readFileSync(join(first.app, 'file'), 'utf8')).toBe('mine');
  });

  it('says so when the parent is not a directory', async () => {
    const file = join(tempDir(), 'file');
    writeFileSync(file, '');
    await expect(createWorkspace({ parent: file })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('keeping', () => {
  it.each([
    ['always', false, 'kept'],
    ['failed', true, 'kept'],
    ['failed', false, 'removed'],
    ['never', true, 'removed'],
  ] as const)('keep %s, failed %s: %s, and a sweep leaves what was kept', async (keep, failed, outcome) => {
    const parent = tempDir();
    const workspace = await createWorkspace({ parent });
    expect(await workspace.release({ keep, failed })).toBe(outcome);
    await sweepWorkspaces(parent);
    expect(existsSync(workspace.root)).toBe(outcome === 'kept');
  });
});

describe('sweeping', () => {
  it('never takes the workspace of a living process, and takes it once that was killed', async () => {
    const parent = tempDir();
    const { child, root } = await otherOwner(parent);
    expect(await sweepWorkspaces(parent)).toEqual({ removed: [], failed: [] });
    expect(existsSync(root)).toBe(true);
    child.kill('SIGKILL');
    await exited(child);
    // Several sweep at once.
    const sweeps = await Promise.all([
      sweepWorkspaces(parent),
      sweepWorkspaces(parent),
      sweepWorkspaces(parent),
    ]);
    expect(sweeps.flatMap((sweep) => sweep.failed)).toEqual([]);
    expect(readdirSync(parent)).toEqual([]);
  });

  it('knows a pid that was given to another process, another boot, another machine', () => {
    const own = ownIdentity();
    expect(lifeOf(own)).toBe('alive');
    expect(lifeOf({ ...own, startTime: '1' })).toBe('dead');
    expect(lifeOf({ ...own, bootId: 'before' })).toBe('dead');
    expect(lifeOf({ ...own, host: 'elsewhere' })).toBe('unknown');
    expect(lifeOf({ ...own, pidNamespace: 'pid:[1]' })).toBe('unknown');
  });

  it('leaves alone what is not ours: other names, and claims it does not understand', async () => {
    const parent = tempDir();
    mkdirSync(join(parent, 'holiday-photos'));
    const guid = newGuid();
    mkdirSync(join(parent, guid));
    writeFileSync(join(parent, `${guid}.lock`), '{"pid":');
    await sweepWorkspaces(parent);
    expect(readdirSync(parent).toSorted()).toEqual([guid, `${guid}.lock`, 'holiday-photos'].toSorted());
  });

  it('a claim that is a link to outside removes nothing there', async () => {
    const parent = tempDir();
    const victim = tempDir();
    writeFileSync(join(victim, 'file'), 'mine');
    const guid = newGuid();
    symlinkSync(victim, join(parent, guid));
    writeFileSync(join(parent, `${guid}.lock`), JSON.stringify({ ...ownIdentity(), startTime: '1' }));
    expect((await sweepWorkspaces(parent)).removed).toEqual([guid]);
    expect(readFileSync(join(victim, 'file'), 'utf8')).toBe('mine');
  });

  it('a parent that is not there yet is empty', async () => {
    expect(await sweepWorkspaces(join(tempDir(), 'missing'))).toEqual({ removed: [], failed: [] });
  });
});
