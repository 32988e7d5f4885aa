import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...globSync('docs/**/*.md', { cwd: root }).toSorted(),
];

/** Headings as the anchors that a reader's browser makes of them. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe.each(pages)('%s', (name) => {
  const page = readFileSync(join(root, name), 'utf8');

  it('links to pages and headings that there are', () => {
    const links = [...page.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
    const broken = links.flatMap(([, path = '', anchor]) => {
      const target = path === '' ? join(root, name) : join(root, dirname(name), path);
      if (!existsSync(target)) return [path];
      const isThere = anchor === undefined || anchorsOf(readFileSync(target, 'utf8')).has(anchor);
      return isThere ? [] : [`${path}#${anchor}`];
    });
    expect(broken).toEqual([]);
  });

  it('names files of ours that there are', () => {
    const named = [
      ...page.matchAll(/(?<![\w./-])((?:src|test|bench|scripts|docs)\/[\w./-]*\w\/?)(?![-*\w])/g),
    ];
    // An author's buildpack has directories of these names as well.
    const theirs = /^(test\/fixtures|src\/main\.ts|bench\/out|scripts\/install_go\.sh)/;
    const missing = named.flatMap(([, path = '']) =>
      theirs.test(path) || existsSync(join(root, path)) ? [] : [path],
    );
    expect(missing).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  it('names files and folders of src/ that there are', () => {
    const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
    const named = [...page.matchAll(/`((?:[a-z-]+\/)*[a-z-]+(?:\.ts|\/))`/g)].map(([, path = '']) => path);
    expect(named.length).toBeGreaterThan(20);
    const missing = named.filter(
      // What is built need not be there yet.
      (path) =>
        !path.startsWith('dist/') && !existsSync(join(root, 'src', path)) && !existsSync(join(root, path)),
    );
    expect(missing).toEqual([]);
  });
});

describe('docs/decisions', () => {
  it('are all in the index', () => {
    const index = readFileSync(join(root, 'docs/decisions/README.md'), 'utf8');
    const decisions = globSync('*.md', { cwd: join(root, 'docs/decisions') }).filter(
      (it) => it !== 'README.md',
    );
    expect(decisions.filter((it) => !index.includes(`](${it})`))).toEqual([]);
  });
});

describe('README.md', () => {
  it('leads to every page', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const unlinked = globSync('docs/*.md', { cwd: root }).filter((it) => !readme.includes(`](${it}`));
    expect(unlinked).toEqual([]);
  });
});
