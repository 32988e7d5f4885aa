import { expect, it } from 'vitest';
import { toldAddresses } from '../../../src/doors/http/route/base-url.ts';

const HERE = 'http://127.0.0.1:8443';

it.each([
  { what: 'where it listens', given: {}, url: HERE, api: HERE },
  {
    what: 'https with a certificate',
    given: { tls: {} },
    url: 'https://127.0.0.1:8443',
    api: 'https://127.0.0.1:8443',
  },
  {
    what: 'the name of a foundation',
    given: { tls: {}, systemDomain: 'cf.test' },
    url: 'https://127.0.0.1:8443',
    api: 'https://api.cf.test:8443',
  },
  {
    what: 'the address in front of it',
    given: { systemDomain: 'cf.test', publicUrl: 'https://stager.test' },
    url: HERE,
    api: 'https://stager.test',
  },
])('a server tells $what', ({ given, url, api }) => {
  expect(toldAddresses(given, HERE)).toEqual({ url, api });
});
