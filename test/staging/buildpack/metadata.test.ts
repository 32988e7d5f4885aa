import { describe, expect, it } from 'vitest';
import { stagingInfo } from '../../../src/staging/buildpack/contract/metadata.ts';
import { readScalars } from '../../../src/staging/buildpack/contract/yaml.ts';

describe('staging_info.yml', () => {
  it('is one line of JSON with the keys of the original in their order', () => {
    expect(stagingInfo([{ key: 'n', name: 'node "js"' }], 'npm start')).toBe(
      '{"detected_buildpack":"node \\"js\\"","start_command":"npm start"}\n',
    );
  });

  it('#23 carries the entrypoint prefix of config.yml', () => {
    const config = { entrypoint_prefix: '/prefix' };
    expect(JSON.parse(stagingInfo([{ key: 'n', name: '', config }], undefined))).toEqual({
      detected_buildpack: '',
      start_command: '',
      config,
    });
  });
});

describe('the scalars at the top of a document', () => {
  it.each([
    ['stack: cflinuxfs4', { stack: 'cflinuxfs4' }],
    ['{"stack": 1.10}', { stack: '1.10' }],
    ['"st\\x61ck": escaped', { stack: 'escaped' }],
    ['? stack\n: apart', { stack: 'apart' }],
    ['cf_stacks: [cflinuxfs4]', {}],
    ['other: stack', {}],
    ['in:\n  stack: deep', {}],
    ['stack: [a', {}],
  ])('of %j are found as they were written', (text, found) => {
    expect(readScalars(text, ['stack'])).toEqual(found);
  });
});
