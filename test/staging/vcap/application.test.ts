import { describe, expect, it } from 'vitest';
import {
  type ApplicationFacts,
  encodeSorted,
  runningApplication,
  stagingApplication,
  withInstance,
} from '../../../src/staging/vcap/application.ts';

const facts: ApplicationFacts = {
  guid: 'a-guid',
  name: 'my <app>',
  limits: { memoryMb: 512, diskMb: 1024, fds: 16_384 },
  uris: ['my.example.org'],
  cfApi: 'https://api.example.org',
  space: { guid: 's-guid', name: 'dev' },
  organization: { guid: 'o-guid', name: 'org' },
};

describe('VCAP_APPLICATION', () => {
  it('has the fields of a staging', () => {
    expect(JSON.parse(stagingApplication(facts, 'v1'))).toEqual({
      cf_api: 'https://api.example.org',
      limits: { fds: 16_384, mem: 512, disk: 1024 },
      application_id: 'a-guid',
      application_name: 'my <app>',
      name: 'my <app>',
      application_uris: ['my.example.org'],
      uris: ['my.example.org'],
      space_id: 's-guid',
      space_name: 'dev',
      organization_id: 'o-guid',
      organization_name: 'org',
      application_version: 'v1',
      version: 'v1',
      users: null,
    });
  });

  it('has the fields of a process, and no users', () => {
    const json: unknown = JSON.parse(runningApplication(facts, { guid: 'p', type: 'worker', version: 'v2' }));
    expect(json).toMatchObject({
      process_id: 'p',
      process_type: 'worker',
      version: 'v2',
      application_version: 'v2',
    });
    expect(json).not.toHaveProperty('users');
  });

  it('fills what an app without a space lacks, the same every time', () => {
    const bare = { guid: 'g', name: 'n', limits: facts.limits };
    const text = stagingApplication(bare, 'v');
    expect(stagingApplication(bare, 'v')).toBe(text);
    expect(JSON.parse(text)).toMatchObject({ uris: [], space_name: 'stager', organization_name: 'stager' });
  });

  it('#41 gets host, port, instance id and index from the launcher', () => {
    const env = { PORT: '8080', INSTANCE_GUID: 'i', INSTANCE_INDEX: '0' };
    expect(withInstance('{"z":1,"name":"n"}', env)).toBe(
      '{"host":"0.0.0.0","instance_id":"i","instance_index":0,"name":"n","port":8080,"z":1}',
    );
  });

  it('leaves out port and index where the variables are not whole numbers', () => {
    expect(withInstance('{}', { PORT: '80a', INSTANCE_INDEX: '' })).toBe(
      '{"host":"0.0.0.0","instance_id":""}',
    );
  });

  it.each(['', 'broken {', '[1]', '"x"'])('leaves %j as it is', (text) => {
    expect(withInstance(text, { PORT: '1' })).toBe(text);
  });

  it('is written as Go writes it: keys sorted by bytes, HTML characters escaped', () => {
    expect(encodeSorted({ b: ['<&>\u2028', null, 1.5, true], a: { '😀': 1, '\uFFFD': 2 } })).toBe(
      '{"a":{"\uFFFD":2,"😀":1},"b":["\\u003c\\u0026\\u003e\\u2028",null,1.5,true]}',
    );
  });
});
