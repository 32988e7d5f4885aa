/** The real client's answers (regenerate.ts asked it) for 500 generated apps. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ignoreRules } from '../../../src/staging/source/ignore.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { isStagerError } from '../../../src/words/errors.ts';
import { rawZip, tempDir } from './archives.ts';
import { CASES, generateCases } from './cfignore/cases.ts';

const Expected = z.array(
  z.object({
    kind: z.enum(['directory', 'zip']),
    rules: z.string().optional(),
    rulesPath: z.string(),
    paths: z.array(z.string()),
    sent: z.array(z.string()),
  }),
);
type App = z.infer<typeof Expected>[number];
const expected = Expected.parse(
  JSON.parse(readFileSync(join(import.meta.dirname, 'cfignore/expected.json'), 'utf8')),
);

it('the committed answers belong to what the generator makes', () => {
  expect(expected).toHaveLength(CASES);
  expect(expected.map(({ sent: _, ...app }) => app)).toEqual(generateCases());
});

it('the answers are worth comparing: many paths on either side', () => {
  const sent = expected.reduce((sum, one) => sum + one.sent.length, 0);
  const all = expected.reduce((sum, one) => sum + one.paths.length, 0);
  expect(sent).toBeGreaterThan(4000);
  expect(all - sent).toBeGreaterThan(4000);
});

describe('#ignore the same files in and out as the real client', () => {
  it('by the rules alone, over 500 apps', () => {
    const wrong = expected.filter((app) => {
      const rules = ignoreRules({
        style: 'cf',
        order: app.kind === 'zip' ? 'defaults-first' : 'file-first',
        ...(app.rules === undefined ? {} : { file: { text: app.rules, path: app.rulesPath } }),
      });
      const kept = app.paths.filter((path) => {
        const asked = app.kind === 'directory' ? path.replace(/\/$/, '') : path;
        return !rules.ignores(asked, path.endsWith('/') ? 'directory' : 'other');
      });
      return kept.join('\n') !== app.sent.join('\n');
    });
    expect(wrong).toEqual([]);
  });

  it.each(['directory', 'zip'] as const)('by reading a real %s, over 250 apps', async (kind) => {
    for (const app of expected.filter((one) => one.kind === kind)) {
      const path = kind === 'zip' ? makeZip(app) : makeDirectory(app);
      expect(await keptIn(path), app.rules ?? 'no rules').toEqual(app.sent.toSorted());
    }
  });
});

function makeDirectory(app: App): string {
  const root = tempDir();
  for (const path of app.paths) {
    if (path.endsWith('/')) mkdirSync(join(root, path), { recursive: true });
    else {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), '');
    }
  }
  if (app.rules !== undefined) writeFileSync(join(root, '.cfignore'), app.rules);
  return root;
}

/** The rules' own entry comes first and is put aside again, as it is not a path of the case. */
function makeZip(app: App): string {
  const own = app.rules === undefined ? [] : [{ name: app.rulesPath, content: app.rules }];
  const path = join(tempDir(), 'app.zip');
  writeFileSync(
    path,
    rawZip([...own, ...app.paths.map((name) => ({ name, mode: name.endsWith('/') ? 0o40755 : 0o100744 }))]),
  );
  return path;
}

async function keptIn(path: string): Promise<string[]> {
  const kept: string[] = [];
  try {
    const source = await openSource(path);
    for await (const entry of source.entries({ signal: new AbortController().signal })) {
      if (entry.path.endsWith('.cfignore')) continue;
      kept.push(entry.kind === 'directory' ? `${entry.path}/` : entry.path);
    }
  } catch (error) {
    if (!isStagerError(error, 'SOURCE_EMPTY')) throw error;
  }
  return kept.toSorted();
}
