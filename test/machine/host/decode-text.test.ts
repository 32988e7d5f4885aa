import { describe, expect, it } from 'vitest';
import { decodeText } from '../../../src/machine/host/decode-text.ts';

describe('text files of people', () => {
  const utf16 = Buffer.from('\uFEFFweb: käse\r\n', 'utf16le');

  it.each([
    ['UTF-8', Buffer.from('web: käse\r\n')],
    ['UTF-8 with a mark', Buffer.from('\uFEFFweb: käse\r\n')],
    ['UTF-16 as PowerShell writes it', utf16],
    ['UTF-16, the other way round', Buffer.from(utf16).swap16()],
  ])('are read as %s', (_, bytes) => {
    expect(decodeText(bytes)).toBe('web: käse\r\n');
  });

  it('keep what is around bytes of no encoding', () => {
    expect(decodeText(Buffer.from([0x61, 0xff, 0x62]))).toBe('a\uFFFDb');
    expect(decodeText(Buffer.alloc(0))).toBe('');
  });
});
