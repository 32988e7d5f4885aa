import { describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../../src/machine/network/public-address.ts';
import { checkedLookup } from '../../../src/service/events/checked-lookup.ts';

describe('an address', () => {
  it.each([
    '127.0.0.1',
    '127.255.0.9',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fd00::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001::1',
    'not an address',
  ])('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false));

  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '1.1.1.1'])('%s is public', (address) =>
    expect(isPublicAddress(address)).toBe(true),
  );
});

describe('the lookup of a webhook', () => {
  it.each([
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://[::1]:8080/',
    'http://[::ffff:169.254.169.254]/',
  ])('refuses %s', async (url) => {
    await expect(checkedLookup(new URL(url), false)).rejects.toThrow(/not public/);
  });

  it('refuses a name of which one address is not public', async () => {
    const resolve = async () => [
      { address: '8.8.8.8', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ];
    await expect(checkedLookup(new URL('http://name.test/'), false, resolve)).rejects.toThrow(/10\.0\.0\.1/);
  });

  it('resolves once, and hands out what it checked whatever is asked for later', async () => {
    let asked = 0;
    const resolve = async () => {
      asked += 1;
      return [{ address: asked === 1 ? '8.8.8.8' : '127.0.0.1', family: 4 }];
    };
    const lookup = await checkedLookup(new URL('http://name.test/'), false, resolve);
    const given: unknown[] = [];
    lookup('name.test', {}, (_error, address) => given.push(address));
    lookup('name.test', { all: true }, (_error, addresses) => given.push(addresses));
    expect(given).toEqual(['8.8.8.8', [{ address: '8.8.8.8', family: 4 }]]);
    expect(asked).toBe(1);
  });
});
