import { describe, expect, it } from 'vitest';
import * as stager from '../src/index.ts';

describe('the library', () => {
  it('exports these values and no others', () => {
    expect(Object.keys(stager).toSorted()).toEqual([
      'ERROR_CODES',
      'StagerError',
      'buildImage',
      'createPackage',
      'doctor',
      'explainFile',
      'inspectImage',
      'isStagerError',
      'listFiles',
      'manifestApps',
      'openBlobs',
      'rebaseImage',
      'runDroplet',
      'runImage',
      'stage',
      'stageCnb',
    ]);
  });
});
