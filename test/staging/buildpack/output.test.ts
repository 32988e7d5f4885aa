import { describe, expect, it } from 'vitest';
import { ScriptOutput, secretFilter } from '../../../src/staging/buildpack/run/output.ts';
import type { UntimedEvent } from '../../../src/words/events.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function setUp(secrets: readonly string[]) {
  const events: UntimedEvent[] = [];
  const clock = new FakeClock();
  const report = (event: UntimedEvent): void => void events.push(event);
  const output = new ScriptOutput({ name: 'compile' }, secretFilter(secrets), { report, clock });
  const texts = () =>
    events.map((it) => (it.type === 'output' ? `${it.text}${it.partial === true ? '…' : ''}` : ''));
  return { clock, output, texts };
}

describe('output of a script', () => {
  it('comes line by line, in order, from both streams', () => {
    const { output, texts } = setUp([]);
    output.write('stdout', Buffer.from('one\ntw'));
    output.write('stderr', Buffer.from('err\n'));
    output.write('stdout', Buffer.from('o\n'));
    output.end();
    expect(texts()).toEqual(['one', 'err', 'two']);
  });

  it('shows an open line after a while and its end later', () => {
    const { clock, output, texts } = setUp([]);
    output.write('stdout', Buffer.from('50%'));
    clock.advance(300);
    output.write('stdout', Buffer.from(' 100%\n'));
    output.end();
    expect(texts()).toEqual(['50%…', ' 100%']);
    expect(clock.pending).toBe(0);
  });

  it('never shows a secret, also when a flush cuts it in two', () => {
    const { clock, output, texts } = setUp(['hunter2-hunter2']);
    output.write('stdout', Buffer.from('the password is hunter2-'));
    clock.advance(300);
    output.write('stdout', Buffer.from('hunter2 indeed\n'));
    output.end();
    expect(texts()).toEqual(['the password is …', '[REDACTED] indeed']);
  });

  it('never shows the user info of a URL, also when a flush cuts it in two', () => {
    const { clock, output, texts } = setUp([]);
    output.write('stdout', Buffer.from('cloning https://me:tok'));
    clock.advance(300);
    output.write('stdout', Buffer.from('en@host/x\nhttps://a:b@host/\n'));
    output.end();
    expect(texts()).toEqual(['cloning …', 'https://***:***@host/x', 'https://***:***@host/']);
  });

  it('without a line end is looked at once, however much it is', () => {
    const filter = secretFilter(['hunter2-hunter2']);
    const piece = 'a'.repeat(61_440);
    let held = 0;
    for (let count = 0; count < 1000; count += 1) held += filter.openEnd(piece);
    expect(held).toBe(0);
    expect(filter.openEnd(`${piece}://b`)).toBe('aaaaaaaaaaaaaaaa://b'.length);
  });
});
