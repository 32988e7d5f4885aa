import { describe, expect, it } from 'vitest';
import { createRedactor, querySecrets, redactUrls } from '../../../src/staging/logs/redact.ts';

describe('redact', () => {
  it('masks every occurrence of a known secret, the longest first', () => {
    const redact = createRedactor(['hunter2', 'hunter2-and-more']);
    expect(redact('a hunter2 b hunter2-and-more c hunter2')).toBe('a [REDACTED] b [REDACTED] c [REDACTED]');
  });

  it('masks the URL-encoded and the JSON-escaped form of a secret', () => {
    const redact = createRedactor(['p@ss "word"/1']);
    expect(redact('u=p%40ss%20%22word%22%2F1 {"p":"p@ss \\"word\\"/1"}')).toBe(
      'u=[REDACTED] {"p":"[REDACTED]"}',
    );
  });

  it('masks a key of several lines line by line, and leaves its frame', () => {
    const redact = createRedactor(['-----BEGIN KEY-----\nMIIEabcdef\nqrstuvwxyz\n-----END KEY-----\n']);
    expect(redact('MIIEabcdef')).toBe('[REDACTED]');
    expect(redact('qrstuvwxyz')).toBe('[REDACTED]');
    expect(redact('-----BEGIN KEY-----')).toBe('-----BEGIN KEY-----');
  });

  it('leaves short values alone, since they would garble every line', () => {
    expect(createRedactor(['1', 'true', ''])('1 is true')).toBe('1 is true');
  });

  it('takes a secret with characters that mean something in a pattern', () => {
    expect(createRedactor(['a.*$&(b'])('x a.*$&(b axxb')).toBe('x [REDACTED] axxb');
  });

  it.each([
    ['https://user:secret@host/x', 'https://***:***@host/x'],
    ['https://ghp_abc@github.com/o/r', 'https://***@github.com/o/r'],
    ['git+ssh://u:p@ss@host:22/x?a=b@c', 'git+ssh://***:***@host:22/x?a=b@c'],
    ['Cloning https://a:b@h/1 and https://c:d@h/2', 'Cloning https://***:***@h/1 and https://***:***@h/2'],
    ['https://host/@scope/pkg', 'https://host/@scope/pkg'],
    ['see http://host?mail=a@b', 'see http://host?mail=a@b'],
    ['git@github.com:o/r.git', 'git@github.com:o/r.git'],
    ['postgres://:only@db/x', 'postgres://***:***@db/x'],
  ])('turns %s into %s', (text, expected) => {
    expect(redactUrls(text)).toBe(expected);
  });

  it('reads a hostile line once', () => {
    const line = `${'://a'.repeat(250_000)} ${'a'.repeat(1_000_000)}://${'b:'.repeat(500_000)}`;
    expect(redactUrls(line)).toBe(line);
  });
});

describe('the query of a URL', () => {
  it('loses values that are secrets by their names and keeps the others', () => {
    const url = 'https://h.example/bp.zip?version=1&X-Amz-Signature=abc123&access_token=t0k3n#frag';
    expect(redactUrls(url)).toBe(
      'https://h.example/bp.zip?version=1&X-Amz-Signature=***&access_token=***#frag',
    );
    expect(querySecrets(url)).toEqual(['abc123', 't0k3n']);
  });
});
