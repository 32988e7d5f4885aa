import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { isRoot, unlessRoot } from '../../support/as-root.ts';

const NOBODY = 65_534;
const EATER = fileURLToPath(new URL('../../support/sandbox-eater.ts', import.meta.url));

it.runIf(isRoot)(
  `a memory bomb of an ordinary user, who has no cgroup, is stopped${unlessRoot}`,
  async () => {
    const home = mkdtempSync('/var/tmp/stager-memory-test-');
    chownSync(home, NOBODY, NOBODY);
    try {
      const child = spawn(process.execPath, [EATER, home], {
        stdio: ['ignore', 'pipe', 'inherit'],
        uid: NOBODY,
        gid: NOBODY,
      });
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      await once(child, 'close');
      expect(JSON.parse(said)).toEqual({ kind: 'out-of-memory', limitBytes: 64 * 1024 * 1024 });
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
);
