import { describe, expect, it } from 'vitest';
import { parseReference, referenceSecrets } from '../../../src/staging/buildpack/contract/reference.ts';

const at = { cwd: '/work' };
const SHA = 'a'.repeat(64);

describe('parseReference', () => {
  it.each([
    ['ruby_buildpack', { kind: 'installed', name: 'ruby_buildpack' }],
    ['./ruby', { kind: 'directory', path: '/work/ruby' }],
    ['/opt/ruby', { kind: 'directory', path: '/opt/ruby' }],
    ['./ruby.zip', { kind: 'file', path: '/work/ruby.zip' }],
    [`ruby.tar.gz#sha256=${SHA}`, { kind: 'file', path: '/work/ruby.tar.gz', sha256: SHA }],
    ['https://host/ruby.zip', { kind: 'url', key: 'https://host/ruby.zip' }],
    [
      `https://host/ruby.tgz?x=1#sha256=${SHA}`,
      { kind: 'url', key: 'https://host/ruby.tgz?x=1', sha256: SHA },
    ],
    ['https://host/ruby.git#v1.2', { kind: 'git', key: 'https://host/ruby.git#v1.2', ref: 'v1.2' }],
    ['https://host/ruby', { kind: 'git' }],
    ['git@host:team/ruby.git#main', { kind: 'git', ref: 'main', address: { url: 'git@host:team/ruby.git' } }],
    ['ssh://git@host/ruby', { kind: 'git', address: { url: 'ssh://git@host/ruby' } }],
    ['file:///srv/ruby.git', { kind: 'git' }],
    ['file:///srv/ruby.zip', { kind: 'file', path: '/srv/ruby.zip' }],
  ])('reads %s', (text, expected) => {
    expect(parseReference(text, at)).toMatchObject(expected);
  });

  it.each([
    ['', 'empty'],
    ['ftp://host/x', 'not supported'],
    ['ext::sh -c id', undefined],
    ['https://host/ruby.zip#v1', 'must be sha256='],
    ['https://host/ruby#--upload-pack=id', 'is not a branch, tag or commit'],
    ['git@host:x#-q', 'is not a branch, tag or commit'],
  ])('refuses %s, or takes it for a directory', (text, reason) => {
    if (reason === undefined) expect(parseReference(text, at).kind).toBe('directory');
    else expect(() => parseReference(text, at)).toThrow(reason);
  });

  it('keeps credentials out of the key and hands them on apart', () => {
    const reference = parseReference('https://me:s%40cret-word@host/x.git#main', at);
    expect(reference.key).toBe('https://***:***@host/x.git#main');
    expect(JSON.stringify({ ...reference, address: undefined })).not.toContain('s@cret');
    expect(reference).toMatchObject({
      address: { url: 'https://host/x.git', credentials: { user: 'me', password: 's@cret-word' } },
    });
    expect(referenceSecrets(reference)).toEqual(['s@cret-word']);
  });

  it('never quotes the password of a reference that it refuses', () => {
    expect(() => parseReference('https://me:hunter22@host/x.zip#v1', at)).toThrow(/^(?!.*hunter22)/);
    expect(() => parseReference('foo://me:hunter22@host/x', at)).toThrow(/^(?!.*hunter22)/);
  });
});
