import { describe, expect, it } from 'vitest';
import { reasonsOf, surroundingsOf, unavailable } from '../../../src/machine/sandbox/unavailable.ts';

const BROKEN = [{ candidate: 'runc 1.1.5, no cgroup', why: 'operation not permitted' }];
const status = (bounding: string): string => `CapEff:\t0\nCapBnd:\t${bounding}\nCapAmb:\t0\n`;

describe('when no sandbox works', () => {
  it.each([
    ['container', /inside this one$/, /--sandbox process.*--cap-add SYS_ADMIN/],
    ['root', /on this machine$/, /Update runc/],
    ['user', /for this user$/, /subordinate ids/],
  ] as const)('one sentence and one piece of advice are given: %s', (place, message, next) => {
    const error = unavailable(BROKEN, place);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
    expect(error.next).toMatch(next);
    expect(reasonsOf(error)).toEqual(['runc 1.1.5, no cgroup: operation not permitted']);
  });

  it('says so where none is installed, wherever that is', () => {
    const error = unavailable([{ candidate: 'runc', why: 'not installed' }], 'container');
    expect(error.message).toBe('no OCI runtime is installed');
  });
});

describe('the place', () => {
  it("is a container by the engine's mark, or by Docker's default capabilities", () => {
    expect(surroundingsOf({ isMarked: true, isRoot: true, status: status('000001ffffffffff') })).toBe(
      'container',
    );
    expect(surroundingsOf({ isMarked: false, isRoot: true, status: status('00000000a80425fb') })).toBe(
      'container',
    );
    expect(surroundingsOf({ isMarked: false, isRoot: true, status: status('000001ffffffffff') })).toBe(
      'root',
    );
    expect(surroundingsOf({ isMarked: false, isRoot: false, status: status('000001ffffffffff') })).toBe(
      'user',
    );
  });
});
