import { describe, expect, it } from 'vitest';
import { checkVariables, MAX_VARIABLE_BYTES, refusedVariables } from '../../../src/staging/vcap/names.ts';
import { isStagerError } from '../../../src/words/errors.ts';

describe('names of environment variables', () => {
  it.each(['VCAP_SERVICES', 'vcap_x', 'VMC', 'vmcFoo', 'PORT', 'Port', '', 'A=B', 'A\0B'])(
    'refuses %j',
    (name) => {
      expect(refusedVariables({ [name]: 'x' }).map((refused) => refused.name)).toEqual([name]);
    },
  );

  it('allows what the platform sets later anyway, and names next to the refused ones', () => {
    const env = {
      HOME: '/',
      DATABASE_URL: 'x',
      CF_STACK: 'x',
      PORTS: '1',
      VCAP: '1',
      MY_PORT: '1',
      'a.b-c': '1',
    };
    expect(refusedVariables(env)).toEqual([]);
  });

  it('refuses what the kernel refuses', () => {
    const room = MAX_VARIABLE_BYTES - 'BIG='.length - 1;
    expect(refusedVariables({ BIG: 'x'.repeat(room) })).toEqual([]);
    expect(refusedVariables({ BIG: 'x'.repeat(room + 1) })[0]?.reason).toBe(
      '131073 bytes, the limit is 131072',
    );
    expect(refusedVariables({ A: 'x\0y' })[0]?.reason).toBe('the value contains NUL');
  });

  it('names all refused variables at once, and no value', () => {
    const check = () => checkVariables({ PORT: 'sesame', OK: '1', VCAP_X: 'sesame' }, '--env');
    expect(check).toThrow(/--env: .*"PORT" .*"VCAP_X"/);
    try {
      check();
    } catch (error) {
      expect(isStagerError(error, 'ENV_NAME_REFUSED')).toBe(true);
      expect(`${error} ${JSON.stringify(error)}`).not.toContain('sesame');
    }
  });
});
