import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StackStore } from '../../../src/machine/stack/store.ts';
import { shellItems, tarOf } from '../../support/mini-stack.ts';
import { SandboxFixture } from '../../support/sandbox-fixture.ts';

let fixture: SandboxFixture;
let store: StackStore;
const signal = new AbortController().signal;
beforeAll(async () => {
  fixture = await SandboxFixture.open();
  store = new StackStore(join(fixture.home, 'stacks'));
});
afterAll(async () => {
  await fixture.close();
});

/** A Debian tree, or why there is none. */
function debian(): string | { readonly why: string } {
  const tree = join(mkdtempSync('/var/tmp/stager-debootstrap-'), 'tree');
  const sources = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const mirror = /^(?:URIs:|deb(?: \[[^\]]*\])?) *(http\S+\/debian\/?)(?:\s|$)/m.exec(sources)?.[1];
  const args = ['--variant=minbase', 'bookworm', tree, ...(mirror === undefined ? [] : [mirror])];
  const made = spawnSync('debootstrap', args, { encoding: 'utf8' });
  if (made.status === 0) return tree;
  rmSync(join(tree, '..'), { recursive: true, force: true });
  return { why: made.error?.message ?? (made.stderr || made.stdout).trim().split('\n').slice(-2).join(' ') };
}

describe('a stack', () => {
  it('of a shell and its libraries runs that shell and nothing of the machine', async () => {
    const file = join(fixture.home, 'mini.tar');
    writeFileSync(file, await tarOf(shellItems()));
    await store.add('mini', file, { signal });
    const { rootfs } = await store.resolve('mini');
    const ran = await fixture.run({
      argv: ['/bin/sh', '-c', 'echo /usr/bin/*; echo written > /tmp/app/file; echo no > /usr/x'],
      rootfs,
    });
    expect(ran.stdout.toString()).toBe('/usr/bin/sh\n');
    expect(ran.text).toContain('Read-only file system');
  });

  it('of a Debian tree that debootstrap made runs bash as vcap', async (context) => {
    const tree = debian();
    if (typeof tree !== 'string') return context.skip(`debootstrap could not make a tree: ${tree.why}`);
    try {
      const info = await store.add('bookworm', tree, { signal });
      expect(info.description).toContain('Debian GNU/Linux 12');
      const { rootfs } = await store.resolve('bookworm');
      const script = 'echo $BASH_VERSION; id -un; perl -e "print 6*7"; ls /root /home; cat /etc/shadow';
      const ran = await fixture.run({ script, rootfs });
      expect(ran.stdout.toString()).toMatch(/^5\.2\.\d+\(1\)-release\nvcap\n42\/home:\nvcap\n\n\/root:\n$/);
      expect(ran.text).toContain('/etc/shadow: No such file');
    } finally {
      rmSync(join(tree, '..'), { recursive: true, force: true });
    }
  }, 300_000);
});
