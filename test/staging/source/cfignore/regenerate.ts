/**
 * Asks the real matcher (Go) about the generated apps and writes expected.json. Run by hand where Go is
 * installed: `node test/staging/source/cfignore/regenerate.ts`. The test compares with the committed answers, so that
 * it needs no Go.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateCases } from './cases.ts';

/** The commit that the client pins in its go.mod. */
const MATCHER = 'github.com/sabhiram/go-gitignore@v0.0.0-20171017070213-362f9845770f';

const work = mkdtempSync(join(tmpdir(), 'cfignore-oracle-'));
try {
  cpSync(join(import.meta.dirname, 'oracle.go'), join(work, 'main.go'));
  const go = (args: string[], input?: string) =>
    execFileSync('go', args, {
      cwd: work,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      ...(input ? { input } : {}),
    });
  go(['mod', 'init', 'oracle']);
  go(['get', MATCHER]);
  const cases = generateCases();
  const answers: unknown = JSON.parse(go(['run', '.'], JSON.stringify(cases)));
  if (!Array.isArray(answers)) throw new Error('the oracle answers with a list');
  const facts = cases.map((one, index) => JSON.stringify({ ...one, sent: answers[index] }));
  writeFileSync(join(import.meta.dirname, 'expected.json'), `[\n${facts.join(',\n')}\n]\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
