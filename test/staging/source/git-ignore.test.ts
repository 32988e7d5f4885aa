import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { DEFAULT_IGNORED, ignoreRules } from '../../../src/staging/source/ignore.ts';
import { readAll, tempDir } from './archives.ts';
import { type Case, generateCases } from './cfignore/cases.ts';

/** Paths that git itself answers for: it never looks into a .git. */
function answerable(app: Case): string[] {
  return app.paths.filter((path) => !path.split('/').includes('.git'));
}

/** What `git check-ignore` leaves out. */
function ignoredByGit(root: string, rules: string, paths: readonly string[]): string[] {
  execFileSync('git', ['init', '-q', root]);
  writeFileSync(join(root, '.git/info/exclude'), `${rules}\n${DEFAULT_IGNORED.join('\n')}\n`);
  for (const path of paths) {
    if (path.endsWith('/')) mkdirSync(join(root, path), { recursive: true });
    else {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), '');
    }
  }
  const asked = paths.map((path) => `${path.replace(/\/$/, '')}\0`).join('');
  try {
    const args = ['-C', root, '-c', 'core.ignorecase=false', 'check-ignore', '--no-index', '--stdin', '-z'];
    return execFileSync('git', args, { input: asked, encoding: 'utf8' }).split('\0').filter(Boolean);
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 1) return [];
    throw error;
  }
}

it('decides as `git check-ignore` does over 60 generated apps', () => {
  for (const app of generateCases().slice(0, 60)) {
    const text = app.rules ?? '';
    const paths = answerable(app);
    const rules = ignoreRules({ style: 'git', order: 'file-first', file: { text, path: '.cfignore' } });
    const ours = paths
      .filter((path) => rules.ignores(path.replace(/\/$/, ''), path.endsWith('/') ? 'directory' : 'other'))
      .map((path) => path.replace(/\/$/, ''));
    expect(ours.toSorted(), JSON.stringify(text)).toEqual(ignoredByGit(tempDir(), text, paths).toSorted());
  }
}, 60_000);

it('does not bring back what lies in a directory that is left out, and names that directory', () => {
  const rules = ignoreRules({
    style: 'git',
    order: 'file-first',
    file: { text: 'logs/\n!logs/keep\n', path: '.cfignore' },
  });
  expect(rules.explain('logs/keep', 'other')).toEqual({
    ignored: true,
    because: 'logs',
    rule: { text: 'logs/', line: 1, from: '.cfignore' },
  });
});

it('reads a directory by git rules', async () => {
  const root = tempDir();
  mkdirSync(join(root, 'a/node_modules/x'), { recursive: true });
  writeFileSync(join(root, 'a/node_modules/x/y'), '');
  writeFileSync(join(root, 'a/keep'), '');
  writeFileSync(join(root, '.cfignore'), 'node_modules/\n');
  const git = await readAll(root, { ignoreStyle: 'git' });
  expect(git.map((entry) => entry.path)).toEqual(['a', 'a/keep']);
  const cf = await readAll(root);
  expect(cf.map((entry) => entry.path)).toEqual(['a', 'a/keep', 'a/node_modules']);
});
