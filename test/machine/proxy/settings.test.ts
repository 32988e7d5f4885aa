import { describe, expect, it } from 'vitest';
import { proxyFor, proxySecrets, proxyVariables } from '../../../src/machine/proxy/settings.ts';

const PROXY = {
  http: 'http://me:pass%20word@plain:1',
  https: 'secure:2',
  no: 'skip.example, .sub.example:8080,10.0.0.0/8,::1',
};

describe('proxyFor', () => {
  it.each([
    ['http://host/', 'http://me:pass%20word@plain:1'],
    ['https://host/', 'http://secure:2'],
    ['https://skip.example/', undefined],
    ['https://deep.skip.example/', undefined],
    ['https://notskip.example/', 'http://secure:2'],
    ['https://x.sub.example:8080/', undefined],
    ['https://x.sub.example/', 'http://secure:2'],
    ['http://10.1.2.3/', undefined],
    ['http://11.1.2.3/', 'http://me:pass%20word@plain:1'],
    ['http://[::1]/', undefined],
  ])('of %s is %s', (url, proxy) => {
    expect(proxyFor(new URL(url), PROXY)).toBe(proxy);
  });

  it('is none for * and where none is set', () => {
    expect(proxyFor(new URL('http://host/'), { ...PROXY, no: '*' })).toBeUndefined();
    expect(proxyFor(new URL('http://host/'), {})).toBeUndefined();
  });
});

it("the variables come in both cases, with Node's own that makes it read them, and nothing is invented", () => {
  expect(proxyVariables({ https: 'p' })).toEqual({
    https_proxy: 'p',
    HTTPS_PROXY: 'p',
    NODE_USE_ENV_PROXY: '1',
  });
  expect(proxyVariables({ no: 'n' })).toEqual({ no_proxy: 'n', NO_PROXY: 'n' });
});

it('the password of a proxy is a secret, as it is written and as it is meant', () => {
  expect(proxySecrets(PROXY)).toEqual(['pass%20word', 'pass word']);
});
