import { describe, expect, it } from 'vitest';
import { type LaunchEnvironmentInput, processEnvironment } from '../../../src/staging/launch/environment.ts';

const input: LaunchEnvironmentInput = {
  env: { GREETING: 'hi' },
  app: { guid: 'app-guid', name: 'my-app', uris: ['my.example.org'] },
  memoryMb: 512,
  diskMb: 1024,
  processMemoryMb: 448,
  version: 'v',
  instance: { guid: 'i-guid', index: 0, processGuid: 'p-guid', processType: 'web', port: 8080 },
};

describe('environment of a process', () => {
  it('#41 holds what the launcher and the cell set, and nothing else', () => {
    const { VCAP_APPLICATION: _, ...rest } = processEnvironment(input);
    expect(rest).toEqual({
      LANG: 'en_US.UTF-8',
      USER: 'vcap',
      PATH: '/usr/local/bin:/usr/bin:/bin',
      GREETING: 'hi',
      VCAP_SERVICES: '{}',
      MEMORY_LIMIT: '448m',
      PORT: '8080',
      VCAP_APP_PORT: '8080',
      VCAP_APP_HOST: '0.0.0.0',
      INSTANCE_GUID: 'i-guid',
      INSTANCE_INDEX: '0',
      CF_INSTANCE_GUID: 'i-guid',
      CF_INSTANCE_INDEX: '0',
      CF_INSTANCE_IP: '127.0.0.1',
      CF_INSTANCE_INTERNAL_IP: '127.0.0.1',
      CF_INSTANCE_PORT: '8080',
      CF_INSTANCE_ADDR: '127.0.0.1:8080',
      CF_INSTANCE_PORTS: '[{"external":8080,"internal":8080}]',
      HOME: '/home/vcap/app',
      TMPDIR: '/home/vcap/tmp',
      DEPS_DIR: '/home/vcap/deps',
    });
  });

  it('#41 tells the app in VCAP_APPLICATION which instance it is', () => {
    expect(JSON.parse(processEnvironment(input)['VCAP_APPLICATION'] ?? '')).toMatchObject({
      application_id: 'app-guid',
      application_name: 'my-app',
      limits: { mem: 512, disk: 1024, fds: 16_384 },
      process_id: 'p-guid',
      process_type: 'web',
      host: '0.0.0.0',
      port: 8080,
      instance_id: 'i-guid',
      instance_index: 0,
    });
  });

  it('computes DATABASE_URL, over the one of the app', () => {
    const services = { db: [{ credentials: { uri: 'mysql://u:p@h/d' } }] };
    const env = processEnvironment({ ...input, services, env: { DATABASE_URL: 'mine' } });
    expect(env['DATABASE_URL']).toBe('mysql2://u:p@h/d');
    expect(JSON.parse(env['VCAP_SERVICES'] ?? '')).toEqual(services);
    expect(processEnvironment({ ...input, env: { DATABASE_URL: 'mine' } })['DATABASE_URL']).toBe('mine');
  });

  it('lets the app set LANG and PATH, but not what is set later', () => {
    const env = processEnvironment({
      ...input,
      env: {
        LANG: 'C',
        PATH: '/x',
        HOME: '/y',
        MEMORY_LIMIT: '1g',
        DEPS_DIR: '/z',
        VCAP_PLATFORM_OPTIONS: '{}',
      },
    });
    expect(env).toMatchObject({ LANG: 'C', PATH: '/x', HOME: '/home/vcap/app', MEMORY_LIMIT: '448m' });
    expect(env['DEPS_DIR']).toBe('/home/vcap/deps');
    expect(env).not.toHaveProperty('VCAP_PLATFORM_OPTIONS');
  });

  it('gives a task no port and no index', () => {
    const { instance: _, ...task } = input;
    const env = processEnvironment(task);
    for (const name of ['PORT', 'VCAP_APP_PORT', 'INSTANCE_INDEX', 'CF_INSTANCE_INDEX', 'INSTANCE_GUID']) {
      expect(env).not.toHaveProperty(name);
    }
    expect(env).toMatchObject({ CF_INSTANCE_PORTS: '[]', CF_INSTANCE_ADDR: '', HOME: '/home/vcap/app' });
    expect(JSON.parse(env['VCAP_APPLICATION'] ?? '')).not.toHaveProperty('port');
  });
});
