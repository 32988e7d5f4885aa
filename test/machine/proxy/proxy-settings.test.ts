import { describe, expect, it } from 'vitest';
import { proxySettings } from '../../../src/config/proxy.ts';
import {
  checkProxies,
  proxyFor,
  proxySecrets,
  proxyVariables,
} from '../../../src/machine/proxy/proxy-settings.ts';
import type { ProxyTarget } from '../../../src/machine/proxy/rules.ts';

/** `https://host:port` as the agents ask for it. */
function target(address: string): ProxyTarget {
  const [, scheme, host = '', port = ''] = /^(https?):\/\/\[?(.*?)\]?(?::(\d+))?$/.exec(address) ?? [];
  return { scheme: scheme === 'https' ? 'https' : 'http', host, port };
}

const through = (address: string, no: string): boolean =>
  proxyFor(target(address), { http: 'plain:1', https: 'secure:2', no }) !== undefined;

describe('no_proxy', () => {
  it.each([
    ['https://bp.test', 'bp.test', false],
    ['https://sub.bp.test', 'bp.test', false],
    ['https://abp.test', 'bp.test', true],
    ['https://bp.test', '.bp.test', true],
    ['https://sub.bp.test', '.bp.test', false],
    ['https://sub.bp.test', '*.bp.test', false],
    ['https://bp.test', '*.bp.test', true],
    ['https://BP.test', ' other , bp.TEST ', false],
    ['https://bp.test', 'other bp.test', true],
    ['https://bp.test', 'bp.test:443', false],
    ['https://bp.test:8443', 'bp.test:443', true],
    ['http://bp.test', 'bp.test:80', false],
    ['https://bp.test', 'http://bp.test', true],
    ['https://bp.test', '*', false],
    ['https://bp.test', 'x,*,y', false],
    ['http://10.1.2.3', '10.0.0.0/8', false],
    ['http://11.1.2.3', '10.0.0.0/8', true],
    ['http://10.1.2.3', '10.1.2.3:80', false],
    ['http://10.1.2.3', '10.1.2.3:81', true],
    ['http://10.1.2.3', '2.3', true],
    ['http://[fd00::1]', 'fd00::/16', false],
    ['http://[fd00::1]', 'fd00:0::1', false],
    ['http://[fd00::1]:8080', '[fd00::1]:8080', false],
    ['http://[fd00::1]', 'fd01::/16', true],
    ['http://bücher.test', 'xn--bcher-kva.test', false],
    ['http://xn--bcher-kva.test', 'bücher.test', false],
  ])('for %s, the list %j: through the proxy is %s', (address, no, expected) => {
    expect(through(address, no)).toBe(expected);
  });

  it.each(['localhost', '127.0.0.1', '127.8.9.1', '::1'])('never matters for %s', (host) => {
    expect(proxyFor({ scheme: 'http', host, port: '80' }, { http: 'p:1' })).toBeUndefined();
  });
});

describe('the address of a proxy', () => {
  const host = target('http://host');

  it.each([
    ['127.0.0.1:3128', 'http', '127.0.0.1', 3128],
    ['proxy', 'http', 'proxy', 80],
    ['https://proxy', 'https', 'proxy', 443],
    ['HTTP://proxy:1', 'http', 'proxy', 1],
    ['socks5://proxy', 'socks5', 'proxy', 1080],
    ['socks5h://[fd00::1]:9', 'socks5h', 'fd00::1', 9],
  ])('%s is read', (address, scheme, name, port) => {
    expect(proxyFor(host, { http: address })).toEqual({ scheme, host: name, port, user: undefined });
  });

  it('says who we are', () => {
    const { user } = proxyFor(host, { http: 'http://me:pass%20w%40rd@plain:1' }) ?? {};
    expect(user).toEqual({ name: 'me', password: 'pass w@rd' });
  });

  it.each(['http://[::1', 'a b://%', 'ftp://proxy', 'socks4://proxy', 'http://'])(
    'is refused when it can not be used, as %s is, so that nothing goes past it',
    (address) => {
      expect(() => proxyFor(host, { http: address })).toThrow(/the proxy in HTTP_PROXY .* can't be used/);
      expect(() => checkProxies({ https: address })).toThrow(/the proxy in HTTPS_PROXY .* can't be used/);
    },
  );

  it('is not read where no request would use it', () => {
    expect(proxyFor(host, { http: 'http://[::1', no: 'host' })).toBeUndefined();
    expect(proxyFor(host, {})).toBeUndefined();
    expect(() => checkProxies({ no: 'x' })).not.toThrow();
  });

  it('is refused for http where a CGI request may have set it', () => {
    const settings = proxySettings({ HTTP_PROXY: 'p:1', HTTPS_PROXY: 's:2', REQUEST_METHOD: 'GET' });
    expect(() => proxyFor(host, settings)).toThrow('REQUEST_METHOD');
    expect(() => checkProxies(settings)).toThrow('REQUEST_METHOD');
    expect(proxyFor(target('https://host'), settings)?.host).toBe('s');
  });
});

describe('the variables', () => {
  it('are read in upper case first, empty ones not at all', () => {
    expect(
      proxySettings({ HTTP_PROXY: 'a', http_proxy: 'b', HTTPS_PROXY: '', https_proxy: 'c', NO_PROXY: 'd' }),
    ).toEqual({ http: 'a', https: 'c', no: 'd' });
  });

  it("come in both cases, with Node's own that makes it read them, and nothing is invented", () => {
    expect(proxyVariables({ https: 'https://p' })).toEqual({
      https_proxy: 'https://p',
      HTTPS_PROXY: 'https://p',
      NODE_USE_ENV_PROXY: '1',
    });
    expect(proxyVariables({ no: 'n' })).toEqual({ no_proxy: 'n', NO_PROXY: 'n' });
    expect(proxyVariables({})).toEqual({});
  });

  it('say to every tool what we read: a scheme in small letters, a domain with its subdomains', () => {
    const variables = proxyVariables({
      http: 'p:1',
      https: 'HTTP://u:P@p:1',
      no: 'bp.test, 10.0.0.1,.x.test',
    });
    expect(variables['http_proxy']).toBe('http://p:1');
    expect(variables['https_proxy']).toBe('http://u:P@p:1');
    expect(variables['no_proxy']).toBe('bp.test,.bp.test,10.0.0.1,.x.test');
  });

  it('do not make Node read a SOCKS proxy, with which it would not start', () => {
    expect(proxyVariables({ http: 'socks5://p' })['NODE_USE_ENV_PROXY']).toBeUndefined();
  });
});

it('the password of a proxy is a secret, as it is written and as it is meant', () => {
  expect(proxySecrets({ http: 'http://me:pass%20word@plain:1', https: 'u:p@h' })).toEqual([
    'pass%20word',
    'pass word',
    'p',
  ]);
});
