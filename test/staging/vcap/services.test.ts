import { describe, expect, it } from 'vitest';
import {
  databaseUrl,
  encodeServices,
  parseServices,
  secretValues,
} from '../../../src/staging/vcap/services.ts';

const bound = (...uris: unknown[]): string =>
  JSON.stringify({ db: uris.map((uri, index) => ({ name: `db${index}`, credentials: { uri } })) });

describe('VCAP_SERVICES', () => {
  it('keeps keys that it does not know, and the order of the labels', () => {
    const text = '{"z":[{"name":"a","credentials":{"n":{"m":[1]}},"plan":"big"}],"a":[]}';
    expect(encodeServices(parseServices(text, 'services.json'))).toBe(text);
  });

  it('takes the document under its name, as people copy it from cf env', () => {
    expect(parseServices('{"VCAP_SERVICES":{"db":[{"name":"x"}]}}', 'f')).toEqual({ db: [{ name: 'x' }] });
  });

  it.each([
    ['no json', /f: not a JSON document/],
    ['[]', /f: document: /],
    ['{"db":{}}', /f: db: /],
    ['{"db":[{"credentials":"sesame"}]}', /f: db\.0\.credentials: /],
  ])('refuses %s and says where', (text, message) => {
    expect(() => parseServices(text, 'f')).toThrow(message);
    expect(() => parseServices(text, 'f')).not.toThrow(/sesame/);
  });

  it.each([
    ['mysql://u:p@h/d', 'mysql2://u:p@h/d'],
    ['mysql2://h/d', 'mysql2://h/d'],
    ['postgres://h/d?a=b#c', 'postgres://h/d?a=b#c'],
    ['postgresql://h', 'postgres://h'],
    ['PostgreSQL://h', 'postgres://h'],
  ])('#29 makes DATABASE_URL of %s', (uri, expected) => {
    expect(databaseUrl(parseServices(bound(uri), 'f'))).toBe(expected);
  });

  it.each(['redis://h', 'jdbc:postgresql://h', 'postgres', 7, null])('#30 makes none of %j', (uri) => {
    expect(databaseUrl(parseServices(bound(uri), 'f'))).toBeUndefined();
  });

  it('takes the first usable one in the order of the document', () => {
    const services = parseServices(
      '{"z":[{"credentials":{"uri":"redis://r"}},{"credentials":{"uri":"mysql://first"}}],"a":[{"credentials":{"uri":"postgres://second"}}]}',
      'f',
    );
    expect(databaseUrl(services)).toBe('mysql2://first');
  });

  it('refuses a document that the kernel would not take as a variable', () => {
    const services = (length: number) => ({ db: [{ credentials: { x: 'x'.repeat(length) } }] });
    const overhead = JSON.stringify(services(0)).length + 'VCAP_SERVICES='.length + 1;
    expect(encodeServices(services(131_072 - overhead))).toContain('xxx');
    expect(() => encodeServices(services(131_073 - overhead))).toThrow(/takes 131073 bytes/);
  });

  it('knows which values must not be shown', () => {
    const services = parseServices(
      JSON.stringify({
        db: [
          {
            credentials: {
              host: 'db.internal',
              password: 'pw-one',
              uri: 'postgres://me:pw-two@db.internal/x',
              tls: { private_key: ['k1', 'k2'], port: 1 },
            },
          },
        ],
      }),
      'f',
    );
    expect(secretValues(services)).toEqual(['pw-one', 'pw-two', 'k1', 'k2']);
  });
});
