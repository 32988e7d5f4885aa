/** Our list of system calls beside that of a maintained profile: what ours has more of has a reason here. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { seccompProfile } from '../../../src/machine/sandbox/oci/seccomp.ts';
import { ALLOWED_CALLS, REFUSED_CALLS } from '../../../src/machine/sandbox/oci/seccomp-calls.ts';

const Profile = z.object({
  commit: z.string(),
  always: z.array(z.string()),
  byArchitecture: z.record(z.string(), z.array(z.string())),
});
const moby = Profile.parse(
  JSON.parse(readFileSync(new URL('moby-default-profile.json', import.meta.url), 'utf8')),
);

/** Theirs allows these where the architecture has them; on others there is no such call, and a runtime skips it. */
const OF_AN_ARCHITECTURE = 'a call of one architecture, which theirs allows there as well';
/** What the modern names do, with the mask or the handler in one word; theirs has the modern names only. */
const OLD_SIGNALS = 'the 32-bit predecessor of an rt_ call that theirs allows; it acts on the caller alone';

const REASONS: Readonly<Record<string, string>> = {
  arch_prctl: OF_AN_ARCHITECTURE,
  arm_fadvise64_64: OF_AN_ARCHITECTURE,
  arm_sync_file_range: OF_AN_ARCHITECTURE,
  breakpoint: OF_AN_ARCHITECTURE,
  cacheflush: OF_AN_ARCHITECTURE,
  riscv_flush_icache: OF_AN_ARCHITECTURE,
  s390_runtime_instr: OF_AN_ARCHITECTURE,
  set_tls: OF_AN_ARCHITECTURE,
  swapcontext: OF_AN_ARCHITECTURE,
  sync_file_range2: OF_AN_ARCHITECTURE,
  sigaction: OLD_SIGNALS,
  signal: OLD_SIGNALS,
  sigpending: OLD_SIGNALS,
  sigsuspend: OLD_SIGNALS,
};

describe(`beside moby's default profile of ${moby.commit.slice(0, 12)}`, () => {
  const theirs = new Set(moby.always);

  it('each call that is allowed here and not there has a reason', () => {
    const more = ALLOWED_CALLS.filter((name) => !theirs.has(name)).toSorted();
    expect(more).toEqual(Object.keys(REASONS).toSorted());
  });

  it('what is said to be of an architecture is so there', () => {
    const said = Object.keys(REASONS).filter((name) => REASONS[name] === OF_AN_ARCHITECTURE);
    expect(said.filter((name) => moby.byArchitecture[name] === undefined)).toEqual([]);
  });

  it('what they allow by argument is allowed here by as few: no family beyond four, no other persona', () => {
    const rules = seccompProfile('x64').syscalls.filter(({ args }) => args !== undefined);
    const values = (name: string) =>
      rules.filter(({ names }) => names.includes(name)).map(({ args }) => args?.[0]?.value);
    expect(values('socket')).toEqual([1, 2, 10, 16]);
    expect(values('personality')).toEqual([0, 8, 0x20000, 0x20008, 0xffffffff]);
    expect(values('clone')).toEqual([0x7e020000]);
  });

  it('no call is both allowed and refused, or named twice', () => {
    const all = [...ALLOWED_CALLS, ...REFUSED_CALLS];
    expect(all.length).toBe(new Set(all).size);
  });
});
