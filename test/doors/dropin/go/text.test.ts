import { describe, expect, it } from 'vitest';
import { parseFlags } from '../../../../src/doors/dropin/go/flags.ts';
import { encodeJson, parseGoJson } from '../../../../src/doors/dropin/go/json.ts';
import { byteSize, parseDurationMs, parseInteger } from '../../../../src/doors/dropin/go/text.ts';
import { decodeUtf8 } from '../../../../src/doors/dropin/go/utf8.ts';
import { quote } from '../../../../src/words/go-quote.ts';
import { formatUrl, parseUrl } from '../../../../src/words/go-url.ts';

describe('text as Go writes it', () => {
  it('rounds sizes to one decimal, halves to the even digit', () => {
    expect([0, 1, 1023, 1024, 1280, 1331, 1_572_864, 2 ** 40].map(byteSize)).toEqual([
      '0B',
      '1B',
      '1023B',
      '1K',
      '1.2K',
      '1.3K',
      '1.5M',
      '1T',
    ]);
  });

  it('reads durations and integers of every form, and refuses the rest', () => {
    expect(['1s', '1m0.5s', '-1.5h', '0', '1us'].map(parseDurationMs)).toEqual([
      1000, 60_500, -5_400_000, 0, 0.001,
    ]);
    expect(['3', '', 's', '1 s', '1d'].map(parseDurationMs)).toEqual(Array(5).fill(undefined));
    expect(['0x_1f', '0b11', '017', '1_000', '-0'].map(parseInteger)).toEqual([31n, 3n, 15n, 1000n, 0n]);
    expect(['', '1_', '08', 'x'].map(parseInteger)).toEqual(Array(4).fill('parse error'));
    expect(parseInteger('9223372036854775808')).toBe('value out of range');
  });

  it('quotes what cannot be printed', () => {
    expect(quote('a"\\\n\x01é\u200b')).toBe('"a\\"\\\\\\n\\x01é\\u200b"');
  });

  it('counts every byte that is not UTF-8 by itself, and writes it as an escape', () => {
    expect(encodeJson(decodeUtf8(Buffer.from([0x61, 0xe2, 0x82, 0x62, 0xc3, 0xa9])))).toBe(
      '"a\\ufffd\\ufffdbé"',
    );
    expect(encodeJson('\ufffd')).toBe('"\ufffd"');
  });
});

describe('flags', () => {
  const specs = [
    { name: 'on', kind: 'bool', usage: 'u', fallback: 'false' },
    { name: 'to', kind: 'string', usage: 'v', fallback: 'x' },
  ] as const;

  it('leave a value after a boolean to the arguments', () => {
    const parsed = parseFlags('p', specs, ['-on', 'false', '-to', 'y']);
    expect(parsed.ok && [...parsed.values]).toEqual([
      ['on', 'true'],
      ['to', 'x'],
    ]);
  });

  it('print the usage, defaults only where they are not the empty value', () => {
    expect(parseFlags('p', specs, ['--help'])).toEqual({
      ok: false,
      exit: 0,
      text: 'Usage of p:\n  -on\n    \tu\n  -to string\n    \tv (default "x")\n',
    });
  });
});

describe('JSON', () => {
  it('names the character and what was looked for', () => {
    const message = (text: string): string => {
      const parsed = parseGoJson(text);
      return parsed.ok ? '' : parsed.message;
    };
    expect(message('{x')).toBe("invalid character 'x' looking for beginning of object key string");
    expect(message('[1 2]')).toBe("invalid character '2' after array element");
    expect(message('nul')).toBe("invalid character ' ' in literal null (expecting 'l')");
    expect(message('[1, -')).toBe("invalid character ' ' in numeric literal");
    expect(message('{"a": "b')).toBe('unexpected end of JSON input');
    expect(message('"\\x"')).toBe("invalid character 'x' in string escape code");
    expect(message('é')).toBe("invalid character 'Ã' looking for beginning of value");
    expect(message('['.repeat(100_000))).toBe('exceeded max depth');
  });

  it('sorts maps by bytes, keeps structs in order and escapes what browsers could misread', () => {
    expect(
      encodeJson(
        new Map<string, unknown>([
          ['é', 1],
          ['z', '<&>'],
        ]),
      ),
    ).toBe('{"z":"\\u003c\\u0026\\u003e","é":1}');
    expect(encodeJson({ b: 1, a: undefined, c: [null, true, 1e21] })).toBe('{"b":1,"c":[null,true,1e+21]}');
    expect(() => encodeJson(Number.NaN)).toThrow('json: unsupported value: NaN');
  });
});

describe('URLs', () => {
  const again = (text: string): string => {
    const parsed = parseUrl(text);
    return parsed.ok ? formatUrl(parsed.url) : parsed.message;
  };

  it('escape userinfo again and keep a valid path as it was written', () => {
    expect(again('postgres://us%40r:p!a%2Fb@h:1/d%20e?q=1#f')).toBe(
      'postgres://us%40r:p%21a%2Fb@h:1/d%20e?q=1#f',
    );
    expect(again("https://h/x#it's")).toBe("https://h/x#it's");
    expect(again('mysql://u:p@[fe80::1%25en0]:1/d')).toBe('mysql://u:p@[fe80::1%25en0]:1/d');
    expect(again('mysql:opaque')).toBe('mysql:opaque');
    expect(again('a/b')).toBe('a/b');
  });

  it('say why they are none', () => {
    expect(again('git@h:org/repo')).toBe(
      'parse "git@h:org/repo": first path segment in URL cannot contain colon',
    );
    expect(again('https://h:x/')).toBe('parse "https://h:x/": invalid port ":x" after host');
    expect(again('https://a%20b/')).toBe('parse "https://a%20b/": invalid URL escape "%20"');
    expect(again('https://h[5432/d')).toBe('parse "https://h[5432/d": invalid IP-literal');
    expect(again('https://h/%zz')).toBe('parse "https://h/%zz": invalid URL escape "%zz"');
  });
});
