/** Attacks on the disk that a watcher is too slow for, each named after what it did to a workspace without a volume. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Volume, VolumeSize } from '../../../src/machine/sandbox/port/volume.ts';
import { MountedVolumes } from '../../../src/machine/sandbox/volume/volumes.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { type Command, type Ran, SandboxFixture } from '../../support/sandbox-fixture.ts';

const MIB = 1024 * 1024;

let fixture: SandboxFixture;
beforeAll(async () => {
  fixture = await SandboxFixture.open();
});
afterAll(() => fixture.close());

/** Found by mounting one; only where none is available there is nothing to attack. */
async function whyNone(): Promise<string> {
  const home = mkdtempSync('/var/tmp/stager-volume-probe-');
  try {
    const volumes = await MountedVolumes.open({ wanted: 'auto', home });
    const at = join(home, newGuid());
    mkdirSync(at);
    const probe = await volumes.mount(at, { bytes: MIB });
    await probe?.release();
    return probe === undefined ? ` (not run: ${volumes.why})` : '';
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
const why = await whyNone();

/** Loop devices whose file lies below the fixture's directory. */
const devices = (): string[] =>
  spawnSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line.includes(fixture.home));
const isMounted = (path: string): boolean =>
  readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path} `);

let root: string;
let volume: Volume | undefined;
beforeEach(() => {
  root = join(fixture.home, newGuid());
  mkdirSync(root);
});
afterEach(async () => {
  await volume?.release();
  expect(isMounted(root)).toBe(false);
  await expect.poll(devices).toEqual([]);
});

/** A workspace of that size, and a command in it. */
async function runIn(size: VolumeSize, command: Command): Promise<Ran> {
  volume = await fixture.sandbox.volumes?.mount(root, size);
  expect(volume).toBeDefined();
  chmodSync(root, 0o711);
  const tmp = join(root, 'tmp');
  for (const path of [tmp, join(tmp, 'app'), join(tmp, 'home')]) {
    mkdirSync(path);
    chownSync(path, fixture.sandbox.owner.uid, fixture.sandbox.owner.gid);
  }
  const mounts = [{ source: tmp, target: '/tmp', writable: true }];
  return await fixture.run({
    ...command,
    diskRoot: tmp,
    mounts,
    limits: { diskBytes: size.bytes, ...(size.files !== undefined && { files: size.files }) },
  });
}

const python = (...lines: string[]): Command => ({ argv: ['/usr/bin/python3', '-c', lines.join('\n')] });

describe.skipIf(why !== '')(`a workspace with a file system of its own${why}`, () => {
  it('eight fast writers together do not pass the limit by more than what is set aside', async () => {
    const script = 'for i in 1 2 3 4 5 6 7 8; do head -c 200M /dev/zero >f$i & done; wait; echo over';
    const { report } = await runIn({ bytes: 64 * MIB }, { script });
    if (report.outcome.kind !== 'out-of-disk') throw new Error(JSON.stringify(report));
    expect(report.outcome.usedBytes).toBeLessThan(100 * MIB);
    expect(report.outcome.largest.map(({ path }) => path)).toEqual(['app']);
  });

  it('hard links without end fill directories, and those count', async () => {
    const { report } = await runIn(
      { bytes: 16 * MIB, files: 20_000 },
      python(
        'import os',
        'for d in range(10_000):',
        '    os.mkdir(str(d)); open(f"{d}/f", "w").close()',
        '    for i in range(60_000): os.link(f"{d}/f", f"{d}/{\'x\' * 240}{i}")',
      ),
    );
    expect(report.outcome.kind).toBe('out-of-disk');
  });

  it('a million symlinks stop where the inodes end', async () => {
    const { report } = await runIn(
      { bytes: 64 * MIB, files: 4_096 },
      python('import os', 'for i in range(1_000_000): os.symlink("x", str(i))'),
    );
    if (report.outcome.kind !== 'too-many-files') throw new Error(JSON.stringify(report));
    expect(report.outcome.files).toBeLessThanOrEqual(4_097);
    expect(report.outcome.fullest.map(({ path }) => path)).toEqual(['app']);
  });

  it('files that were deleted and are held open count by themselves', async () => {
    const { report } = await runIn(
      { bytes: 32 * MIB },
      python(
        'import os, time',
        'held = []',
        'try:',
        '    for i in range(200):',
        '        f = open("x", "wb"); os.unlink("x"); held.append(f); f.write(bytes(1 << 20)); f.flush()',
        'except OSError: pass',
        'time.sleep(600)',
      ),
    );
    expect(report.outcome.kind).toBe('out-of-disk');
  });

  it('a sparse file takes nothing', async () => {
    const { report, stdout } = await runIn(
      { bytes: 32 * MIB },
      { script: 'truncate -s 30M a; stat -c %b a' },
    );
    expect([report.outcome, stdout.toString()]).toEqual([{ kind: 'exited', code: 0 }, '0\n']);
  });

  it('a program maps more of nothing than the workspace holds, as .NET does for what it compiles', async () => {
    const { report, text } = await runIn(
      { bytes: 32 * MIB },
      python(
        'import os',
        'f = os.memfd_create("pages")',
        'os.ftruncate(f, 2 << 30)',
        'print(os.fstat(f).st_size)',
      ),
    );
    expect([report.outcome, text]).toEqual([{ kind: 'exited', code: 0 }, `${2 ** 31}\n`]);
  });

  it('is empty, and takes what it is to hold', async () => {
    const { report, text } = await runIn(
      { bytes: 64 * MIB },
      { script: 'ls -A /tmp; head -c 60M /dev/zero >f && mv f /tmp/home && stat -c %s /tmp/home/f' },
    );
    expect([report.outcome, text]).toEqual([{ kind: 'exited', code: 0 }, `app\nhome\n${60 * MIB}\n`]);
  });
});

it.skipIf(why !== '')(
  `a volume is gone when its staging is, though a script of another one still runs${why}`,
  async () => {
    volume = await fixture.sandbox.volumes?.mount(root, { bytes: 32 * MIB });
    let running = (): void => undefined;
    const began = new Promise<void>((resolve) => {
      running = resolve;
    });
    const controller = new AbortController();
    const other = fixture.run({
      script: 'echo on; sleep 600',
      onText: () => running(),
      signal: controller.signal,
    });
    await began;
    expect(devices()).toHaveLength(1);
    await volume?.release();
    await expect.poll(devices).toEqual([]);
    controller.abort();
    await other;
  },
);

it.skipIf(why !== '')(`nothing has a name on disk while it is mounted${why}`, async () => {
  volume = await fixture.sandbox.volumes?.mount(root, { bytes: 32 * MIB });
  expect(readdirSync(fixture.home).filter((name) => name.endsWith('.new'))).toEqual([]);
});

it.skipIf(why !== '')(`memory is bounded the same way, on request${why}`, async () => {
  const volumes = await MountedVolumes.open({ wanted: 'tmpfs', home: fixture.home });
  expect(volumes.bound).toBe('tmpfs');
  volume = await volumes.mount(root, { bytes: 4 * MIB, files: 100 });
  const ran = spawnSync(
    'sh',
    ['-c', 'head -c 5M /dev/zero >a; for i in $(seq 200); do : >f$i || exit; done'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  expect(ran.stderr.match(/No space left on device/g)?.length).toBeGreaterThanOrEqual(2);
  expect(await volume?.isFull()).toBe(true);
});

it.skipIf(why !== '')(
  `a bound that was asked for by name and is not available is an error${why}`,
  async () => {
    const volumes = await MountedVolumes.open({ wanted: 'image', home: fixture.home });
    const tooLarge = { bytes: 1e15 };
    await expect(volumes.mount(root, tooLarge)).rejects.toMatchObject({ code: 'SANDBOX_FAILED' });
    expect(readdirSync(fixture.home).filter((name) => name.endsWith('.new'))).toEqual([]);
  },
);

it.skipIf(why !== '')(
  `a bound that nobody asked for by name, and that is not available, leaves it to the watcher${why}`,
  async () => {
    const volumes = await MountedVolumes.open({ wanted: 'auto', home: fixture.home });
    expect(await volumes.mount(root, { bytes: 1e15 })).toBeUndefined();
    expect([volumes.bound, volumes.why]).toEqual(['watch', expect.any(String)]);
  },
);
