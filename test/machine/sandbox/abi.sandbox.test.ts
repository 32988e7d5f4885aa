/** Attacks that go through another ABI than the one that a filter was written for. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SandboxFixture } from '../../support/sandbox-fixture.ts';
import { type Abi, callProgram, socketProgram, writeProgram } from '../../support/tiny-elf.ts';

let fixture: SandboxFixture;
beforeAll(async () => {
  fixture = await SandboxFixture.open();
});
afterAll(() => fixture.close());

const FAMILIES = [...Array(46).keys()];
/** The local one, IPv4, IPv6, netlink. */
const ALLOWED = [1, 2, 10, 16];
/** What else can begin with 0: SOCK_STREAM is none of netlink's kinds, but the filter has let it through. */
const ESOCKTNOSUPPORT = 94;
const EPROTONOSUPPORT = 93;

const why = process.arch === 'x64' ? '' : ` (not run: the programs are for x64, this is ${process.arch})`;

describe.skipIf(why !== '')(`through another ABI${why}`, () => {
  it.each<readonly [Abi, readonly number[]]>([
    ['x86-64', ALLOWED],
    ['i386', ALLOWED],
    ['i386 socketcall', []],
    ['x32', []],
  ])('a socket of a family that is not allowed is not available: %s', async (abi, allowed) => {
    const workspace = fixture.workspace();
    for (const family of FAMILIES) {
      writeProgram(join(workspace, 'app', String(family)), socketProgram(abi, family));
    }
    const script = `for f in ${FAMILIES.join(' ')}; do ./$f 2>/dev/null; echo $f $?; done`;
    const ran = await fixture.run({ script, diskRoot: workspace, mounts: mountsOf(workspace) });
    const results = ran.stdout.toString().trim().split('\n');
    expect(results).toHaveLength(FAMILIES.length);
    const had = results
      .map((line) => line.split(' ').map(Number))
      .filter(([, errno]) => errno === 0 || errno === ESOCKTNOSUPPORT || errno === EPROTONOSUPPORT)
      .map(([family]) => family);
    expect(had).toEqual(allowed);
  });

  it('space cannot be taken without being written: fallocate in either ABI', async () => {
    const workspace = fixture.workspace();
    // fallocate(1, 0, 0, 1 MiB) on stdout, which is the file.
    writeProgram(join(workspace, 'app/wide'), callProgram('x86-64', 285, [1, 0, 0, 0x10_0000]));
    writeProgram(join(workspace, 'app/narrow'), callProgram('i386', 324, [1, 0, 0, 0, 0x10_0000, 0]));
    const script = './wide >a; echo $? >&2; ./narrow >b; echo $? >&2; stat -c "%b" a b';
    const ran = await fixture.run({ script, diskRoot: workspace, mounts: mountsOf(workspace) });
    const EOPNOTSUPP = 95;
    expect(ran.stderr.toString()).toBe(`${EOPNOTSUPP}\n${EOPNOTSUPP}\n`);
    expect(ran.stdout.toString()).toBe('0\n0\n');
  });

  it('programs that ask for space in advance write instead', async () => {
    const ran = await fixture.run({ script: 'fallocate -l 1M a; fallocate -x -l 1M b && stat -c %s b' });
    expect(ran.stdout.toString()).toBe('1048576\n');
  });
});

const mountsOf = (source: string) => [{ source, target: '/tmp', writable: true }];
