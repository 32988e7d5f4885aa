/** Env files: what dotenv takes, any name, and no line that vanishes. */
import { describe, expect, it } from 'vitest';
import { parseEnvFile } from '../../../src/staging/request/env-file.ts';

describe('an env file', () => {
  it.each([
    ['A=1\nB = two words \nexport C=3', { A: '1', B: 'two words', C: '3' }],
    [
      'server.port=8080\nSERVICES[ID]_M=1\nA-B=2\n',
      { 'server.port': '8080', 'SERVICES[ID]_M': '1', 'A-B': '2' },
    ],
    [`A='x # y' # note\nB="l1\nl2=3"\nC=\`z\`\n`, { A: 'x # y', B: 'l1\nl2=3', C: 'z' }],
    ['# note\n\n  # another\nA="\\n"\r\nB=\r\n', { A: '\n', B: '' }],
    ['\uFEFFA=1', { A: '1' }],
    ['A: yaml\nA=last', { A: 'last' }],
    ['A=b=c#d', { A: 'b=c' }],
    ['A="unclosed', { A: '"unclosed' }],
    ['', {}],
  ])('%j is read', (text, expected) => {
    expect(parseEnvFile(text, 'env')).toEqual(expected);
  });

  it.each([
    ['A=1\nSERVICES[ID]_M=1\nnot a variable\n', 3],
    ['words', 1],
    ['A="a\nb"\n=x', 3],
    ['A=1\n\n\nB', 4],
    ['two words=1', 1],
    ['{"A": "1"}', 1],
  ])('%j is refused with its line, and without its text', (text, line) => {
    expect(() => parseEnvFile(text, 'env')).toThrow(`env, line ${line}: this is not a variable`);
  });
});
