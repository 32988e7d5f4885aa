import { describe, expect, it } from 'vitest';
import { stagingInfo } from '../../../src/staging/buildpack/contract/metadata.ts';

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
