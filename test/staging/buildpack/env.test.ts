import { describe, expect, it } from 'vitest';
import { type ScriptEnvironmentInput, stagingEnvironment } from '../../../src/staging/buildpack/run/env.ts';

const INPUT: ScriptEnvironmentInput = {
  app: { guid: 'g', name: 'app', limits: { memoryMb: 512, diskMb: 1024, fds: 16_384 } },
  stack: 'cflinuxfs4',
  appEnv: {},
};

describe('the environment of Cloud Foundry', () => {
  it('lets the app override the group, the platform override the app', () => {
    const env = stagingEnvironment({
      ...INPUT,
      groupEnv: { A: 'group', B: 'group', LANG: 'C' },
      appEnv: { B: 'app', CF_STACK: 'mine', MEMORY_LIMIT: '1g', CF_INSTANCE_IP: '6.6.6.6', HOME: '/mine' },
      platformEnv: { A: 'platform', http_proxy: 'http://p' },
    }).processEnv('cf-v3');
    expect(env).toMatchObject({
      A: 'group',
      B: 'app',
      LANG: 'C',
      CF_STACK: 'cflinuxfs4',
      MEMORY_LIMIT: '512m',
      CF_INSTANCE_IP: '127.0.0.1',
      HOME: '/mine',
      http_proxy: 'http://p',
      VCAP_SERVICES: '{}',
    });
  });

  it.each(['VCAP_X', 'vcap_services', 'VMC_X', 'Vmcx', 'PORT', 'port'])('refuses %s', (name) => {
    expect(() => stagingEnvironment({ ...INPUT, appEnv: { [name]: 'x' } })).toThrow(name);
  });

  it('is the same for the same input, and differs with the source', () => {
    const version = (sourceDigest?: string) => {
      const input = sourceDigest === undefined ? INPUT : { ...INPUT, sourceDigest };
      const text = stagingEnvironment(input).processEnv('cf-v2')['VCAP_APPLICATION'] ?? '';
      return JSON.parse(text).application_version;
    };
    expect(version()).toBe(version());
    expect(version('a')).not.toBe(version('b'));
    expect(version()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('refuses services that no process could be given', () => {
    const services = { big: [{ credentials: { blob: 'x'.repeat(140_000) } }] };
    expect(() => stagingEnvironment({ ...INPUT, services })).toThrow('VCAP_SERVICES takes 1400');
  });
});

describe('the environment of Heroku', () => {
  it('delivers config vars apart and knows no variable of Cloud Foundry', () => {
    const env = stagingEnvironment({ ...INPUT, stack: 'heroku-22', appEnv: { A: '1', https_proxy: 'p' } });
    expect(env.configVars('heroku')).toEqual({ A: '1', https_proxy: 'p' });
    const own = env.processEnv('heroku');
    expect(own).toMatchObject({ STACK: 'heroku-22', https_proxy: 'p' });
    expect(Object.keys(own).filter((it) => /^(VCAP|CF_|A$|MEMORY)/.test(it))).toEqual([]);
    expect(env.configVars('cf-v2')).toEqual({});
  });
});
